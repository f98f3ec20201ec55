# PHP with two profilers and two HTTP clients.
used_by="the tests with real PHP agents"
packages=(php8.2-cli php8.2-curl php8.2-pgsql php-guzzlehttp-guzzle php-tideways php-excimer)

there() { has_debian "${packages[@]}"; }
install() { debian "${packages[@]}"; }
