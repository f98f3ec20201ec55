# Chromium with a font for its pages, and axe-core, which finds what keeps people out of a page.
used_by="the tests of the pages in a browser"
package=axe-core@4.14.1

there() { has_debian chromium fonts-liberation && has_npm $package $package; }
install() { debian chromium fonts-liberation && npm_into $package $package; }
