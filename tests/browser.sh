# Finds a Chromium for the tests of the page, or installs Debian's; says so if it can do neither.
set -u
if [ -n "${FOOTNOTE_BROWSER:-}" ] || command -v chromium >/dev/null || command -v google-chrome >/dev/null; then
  exit 0
fi
if command -v apt-get >/dev/null; then
  root=""
  [ "$(id -u)" = 0 ] || root="sudo -n"
  echo "Installing chromium for the tests of the page…"
  if $root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $root apt-get install -qq -y chromium >/dev/null; then
    exit 0
  fi
fi
echo "No Chromium was found and none could be installed: the tests of the page will be skipped."
echo "Install chromium, or set FOOTNOTE_BROWSER to a browser's program, to run them."
