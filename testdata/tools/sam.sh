# The SAM CLI, cfn-lint and AWS's template translator, which deploy and test template.yaml.
used_by="the tests of template.yaml, and make deploy"
packages=(aws-sam-cli==1.170.0 aws-sam-translator==1.115.0 cfn-lint==1.58.0)

there() { [ "$(cat "$tools/sam/packages" 2>/dev/null)" = "${packages[*]}" ]; }

# Scripts in a virtual environment name its folder: it is made in its place, and marked when it is whole.
install() {
  python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' ||
    { echo "It takes Python 3.10 or later with venv: on Debian 12, run 'sudo apt-get install python3-venv'"; return 1; }
  rm -rf "$tools/sam" && python3 -m venv "$tools/sam" && "$tools/sam/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}" &&
    echo "${packages[*]}" >"$tools/sam/packages"
}
