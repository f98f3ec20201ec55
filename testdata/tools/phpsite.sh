# What stands around PHP on a site: FPM behind nginx, PgBouncer, APCu, SQLite, and the parts of frameworks that the PHP
# agent's README has lines for.
used_by="the tests of infra/agents/php"
packages=(php8.2-fpm php8.2-apcu php8.2-sqlite3 nginx-light pgbouncer
  php-doctrine-dbal php-illuminate-database php-illuminate-events php-illuminate-routing php-symfony-http-kernel)

there() { has_debian "${packages[@]}"; }
install() { debian "${packages[@]}"; }
