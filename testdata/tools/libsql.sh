# A libSQL server, tursodb. Tests look for it in any folder .tools/turso@*.
used_by="the tests with a libSQL server"
package=turso@0.6.0

there() { has_npm $package $package; }
install() { npm_into $package $package; }
