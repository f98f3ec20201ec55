# A libSQL server, tursodb. Tests look for it in any folder .tools/turso@*.
used_by="the tests with a libSQL server"
package=turso@0.6.0

# The server itself comes with a package of its own for each kind of machine, which npm passes over where there is none.
there() { has_npm $package $package && compgen -G "$tools/$package/node_modules/@tursodatabase/cli-*/tursodb" >/dev/null; }
install() { npm_into $package $package; }
