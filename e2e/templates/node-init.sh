# Process 1 of a node, in namespaces of its own. What it needs is in its environment (see node.rs).
# It mounts what belongs to the node over the default paths, so that nothing of it is seen outside, then keeps
# containerd and, once the node is admitted, kubelet and kube-proxy running. When it is killed, the kernel ends
# everything in the node.
set -eu

hostname "$NODE"
mount --make-rprivate /
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755,size=1m cgroups /sys/fs/cgroup
while IFS='=' read -r directory option; do
  mkdir -p "$directory"
  case $option in name=*) option=none,$option ;; esac
  mount -t cgroup -o "$option" cgroup "$directory"
  # kubelet and runc look for each controller by its own name, also where two share a hierarchy
  for controller in ${option//,/ }; do
    case $controller in none | name=*) continue ;; esac
    [ -e "/sys/fs/cgroup/$controller" ] || ln -s "$directory" "/sys/fs/cgroup/$controller"
  done
done <<<"$HIERARCHIES"

while read -r own path; do
  mkdir -p "$NODE_DIRECTORY/$own"
  mount --bind "$NODE_DIRECTORY/$own" "$path"
done <<'BINDS'
kubelet /var/lib/kubelet
cni /var/lib/cni
etc/cni /etc/cni/net.d
log/pods /var/log/pods
log/containers /var/log/containers
BINDS
# images in memory: nothing is read from or written to a disk when a pod starts, and nothing is left to remove
mount -t tmpfs -o mode=711,size=6g images /var/lib/containerd
mount -t tmpfs -o mode=755 run /run
mount --make-rshared /

echo 1 >/proc/sys/net/ipv4/ip_forward
echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter

# keep NAME COMMAND…: runs it again whenever it ends
keep() {
  local name=$1
  shift
  while :; do
    "$@" >>"$LOGS/$NODE-$name.log" 2>&1 </dev/null || echo "$name ended with status $?" >>"$LOGS/$NODE-$name.log"
    sleep 1
  done
}

keep containerd containerd --config "$NODE_DIRECTORY/etc/containerd.toml" --log-level warn &
until [ -e "$NODE_DIRECTORY/admitted" ]; do sleep 0.05; done
keep kubelet "$KUBELET" --config "$NODE_DIRECTORY/etc/kubelet.yaml" \
  --kubeconfig "$NODE_DIRECTORY/../pki/$NODE.kubeconfig" --hostname-override "$NODE" --node-ip "$NODE_ADDRESS" \
  --node-labels "$NODE_LABELS" --v=1 &
keep kube-proxy "$KUBE_PROXY" --config "$NODE_DIRECTORY/etc/proxy.yaml" --v=1 &
# bash collects the orphans of the whole node while it waits
while :; do wait || sleep 1; done
