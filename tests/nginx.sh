# Finds an nginx for the test of the proxy, or unpacks Debian's beside the program, without
# installing it: a package that is installed would begin to serve. Says so if it can do neither.
set -u
place=.venv/nginx
if [ -n "${FOOTNOTE_NGINX:-}" ] || command -v nginx >/dev/null || [ -x "$place/usr/sbin/nginx" ]; then
  exit 0
fi
if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
  echo "Unpacking nginx for the test of the proxy…"
  mkdir -p "$place"
  root=""
  [ "$(id -u)" = 0 ] || root="sudo -n"
  get() { (cd "$place" && apt-get download -qq nginx >/dev/null 2>&1); }
  if { get || { $root apt-get update -qq && get; }; } && dpkg-deb -x "$place"/nginx_*.deb "$place"; then
    rm -f "$place"/*.deb
    "$place/usr/sbin/nginx" -v 2>/dev/null && exit 0
  fi
  rm -rf "$place"
fi
echo "No nginx was found and none could be unpacked: the test of the proxy will be skipped."
echo "Install nginx, or set FOOTNOTE_NGINX to its program, to run it."
