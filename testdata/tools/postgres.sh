# PostgreSQL, whose package brings auto_explain and pg_stat_statements.
used_by="the tests with real Postgres agents"

there() { has_debian postgresql-15; }
install() { no_default_cluster && debian postgresql-15; }

# The tests make their own cluster; a default one would hold a port and start with the machine. A file that is there
# already belongs to somebody who uses PostgreSQL: it stays as it is, and UCF_FORCE_CONFFOLD keeps ours.
no_default_cluster() {
  local file=/etc/postgresql-common/createcluster.conf
  [ "$(id -u)" != 0 ] || [ -e $file ] || { mkdir -p "${file%/*}" && echo 'create_main_cluster = false' >$file; }
}
