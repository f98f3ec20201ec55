# Chromium without windows, which is half the work, a font for its pages, and axe-core, which finds what keeps people out.
used_by="the tests of the pages in a browser"
package=axe-core@4.14.1

there() { has_debian chromium-headless-shell fonts-liberation && has_npm $package $package; }
install() { debian chromium-headless-shell fonts-liberation && npm_into $package $package; }
