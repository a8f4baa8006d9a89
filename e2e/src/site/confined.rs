//! A program in a root file system of its own: it sees that, this machine's network and devices, and what is lent to
//! it.

use std::path::{Path, PathBuf};

/// `$0`: the root; `$1`: uid:gid; then pairs of a directory and where it is seen; after `--` the program. The name is one
/// that the root's own `/etc/hosts` knows: Erlang programs look their host up.
const ENTER: &str = r#"
user=$1; shift
echo localhost > /proc/sys/kernel/hostname
mount -t proc proc "$0/proc"
mount --rbind /dev "$0/dev"
for own in dev/shm run tmp; do mount -t tmpfs -o mode=1777 tmpfs "$0/$own"; done
while [ "$1" != -- ]; do mkdir -p "$0$2"; mount --bind "$1" "$0$2"; shift 2; done
shift
exec chroot --userspec="$user" "$0" "$@"
"#;

/// Where and as whom a program runs.
#[derive(Clone, Debug)]
pub struct Confined {
    /// The root file system.
    pub root: PathBuf,
    /// User and group, as numbers.
    pub user: u32,
    /// Directories of this machine, and where the program sees them.
    pub lent: Vec<(PathBuf, &'static str)>,
}

impl Confined {
    /// The command that runs `program`. Mounts and shared memory go with its last process.
    pub fn command(&self, program: &[&str]) -> Vec<String> {
        let shown = |path: &Path| path.to_string_lossy().into_owned();
        let mut command: Vec<String> =
            ["unshare", "--mount", "--ipc", "--uts", "--", "sh", "-ec", ENTER].map(str::to_owned).into();
        command.extend([shown(&self.root), format!("{0}:{0}", self.user)]);
        for (directory, seen_at) in &self.lent {
            command.extend([shown(directory), (*seen_at).to_owned()]);
        }
        command.push("--".to_owned());
        command.extend(program.iter().map(|word| (*word).to_owned()));
        command
    }
}
