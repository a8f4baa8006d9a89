#!/bin/sh
# Runs once, as root inside the unpacked root file system, when the image is made. Leaves an initialised
# database in /var/lib/postgresql/seed, and in /keep the list of all files that the image needs.
set -eu
pg=$(echo /usr/lib/postgresql/*)
version=${pg##*/}
seed=/var/lib/postgresql/seed
export PATH="$pg/bin:$PATH" LC_ALL=C.UTF-8

echo 'root:x:0:0:root:/root:/bin/sh
postgres:x:70:70:PostgreSQL:/var/lib/postgresql:/bin/sh' > /etc/passwd
echo 'root:x:0:
postgres:x:70:' > /etc/group

postgres() { setpriv --reuid=70 --regid=70 --clear-groups "$@"; }

rm -rf /var/lib/postgresql /run/postgresql
install -d -o 70 -g 70 /var/lib/postgresql /run/postgresql
install -d -o 70 -g 70 -m 700 "$seed"
# Small log segments: the whole directory is copied whenever a pod starts.
postgres initdb --pgdata="$seed" --auth=trust --username=postgres --locale=C.UTF-8 --wal-segsize=4 --no-sync
cat /postgresql.conf >> "$seed/postgresql.conf"
postgres pg_ctl --pgdata="$seed" --wait --timeout=60 --options="-c listen_addresses=''" start
postgres psql --host=/run/postgresql --username=postgres --set=ON_ERROR_STOP=1 \
    --command='create extension documentdb cascade' --command='vacuum full' --command='checkpoint'
postgres pg_ctl --pgdata="$seed" --wait --timeout=60 stop
# After a clean shutdown only the segment of the last checkpoint is read again.
wal=$(pg_controldata "$seed" | sed -n "s/^Latest checkpoint's REDO WAL file: *//p")
find "$seed/pg_wal" -maxdepth 1 -type f ! -name "$wal" -delete

# What runs later, the libraries that it loads, and their libraries. Everything else stays behind: the packages
# drag in Perl, systemd and the raster half of PostGIS.
programs="$pg/bin/postgres $pg/bin/psql /usr/bin/dash /usr/bin/cp /usr/bin/sleep /usr/bin/touch /usr/bin/rm /usr/bin/mv"
modules=$(find "$pg/lib" -maxdepth 1 -name '*.so' ! -name 'postgis_*' ! -name '*_distributed.so')
{
    for file in $programs $modules; do
        echo "$file"
        ldd "$file" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^\t\(\/[^ ]*\) (.*/\1/p'
    done | sort -u | while read -r file; do
        # A library by its name, what the name points at, and both again behind /lib -> usr/lib.
        realpath "$file"
        case $file in /lib*) echo "/usr$file" ;; *) echo "$file" ;; esac
    done
    find "/usr/share/postgresql/$version" -type f ! -path '*/contrib/*' ! -path '*/tsearch_data/*' ! -name '*.sql' ! -name '*.bki'
    find /usr/lib/locale/C.utf8 /usr/share/zoneinfo/UTC /usr/share/zoneinfo/Etc /etc/passwd /etc/group /etc/nsswitch.conf
    printf "%s\n" /bin /sbin /lib /lib64 /usr/bin/sh
    find "$seed"
} | sort -u > /keep
