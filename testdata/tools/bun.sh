# Bun and zod, the peer that make bench compares with.
used_by="make bench"
packages=(bun@1.4.5 zod@4.6.7)

there() { has_npm peers "${packages[@]}"; }
install() { npm_into peers "${packages[@]}"; }
