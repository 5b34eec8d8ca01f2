# Finds a PostgreSQL for the tests of the conversations, or installs Debian's, without the server
# that its package begins otherwise: the tests run one of their own. Says so if it can do neither.
set -u
found() { [ -n "${FOOTNOTE_POSTGRES:-}" ] || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
found && exit 0
if command -v apt-get >/dev/null; then
  root=""
  [ "$(id -u)" = 0 ] || root="sudo -n"
  echo "Installing PostgreSQL for the tests of the conversations…"
  settings=/etc/postgresql-common/createcluster.d
  $root mkdir -p "$settings" &&
    echo "create_main_cluster = false" | $root tee "$settings/footnote-tests.conf" >/dev/null &&
    $root apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive $root apt-get install -qq -y postgresql >/dev/null
  $root rm -f "$settings/footnote-tests.conf"
  found && exit 0
fi
echo "No PostgreSQL was found and none could be installed: the tests that need it will be skipped."
echo "Install postgresql, or set FOOTNOTE_POSTGRES to the folder of its programs, to run them."
