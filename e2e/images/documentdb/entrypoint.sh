#!/bin/sh
# Starts PostgreSQL on a copy of the seed, then makes the user of the MongoDB side.
# VT_USER and VT_PASSWORD name it; /run/postgresql/prepared exists once it can log in.
set -eu
# Below the volume, whose own directory belongs to root.
data=/var/lib/postgresql/data/cluster
pg=$(echo /usr/lib/postgresql/*)
export PGHOST=/run/postgresql PGUSER=postgres LC_ALL=C.UTF-8

# A copy that was cut short is no database: it gets its name when it is whole.
[ -e "$data" ] || { rm -rf "$data.copy" && cp -a /var/lib/postgresql/seed "$data.copy" && mv "$data.copy" "$data"; }
rm -f "$data/postmaster.pid"

create_user() {
    until "$pg/bin/psql" --quiet --command='select 1' > /dev/null 2>&1; do sleep 0.1; done
    # The password goes through the environment, for arguments can be read by everyone.
    "$pg/bin/psql" --quiet --tuples-only --set=ON_ERROR_STOP=1 <<'SQL'
\getenv user VT_USER
\getenv password VT_PASSWORD
select format('select documentdb_api.create_user(%L)', json_build_object(
    'createUser', :'user', 'pwd', :'password', 'roles', json_build_array(
        json_build_object('role', 'clusterAdmin', 'db', 'admin'),
        json_build_object('role', 'readWriteAnyDatabase', 'db', 'admin'))))
where not exists (select from pg_roles where rolname = :'user') \gexec
SQL
    touch /run/postgresql/prepared
}
create_user &
exec "$pg/bin/postgres" -D "$data"
