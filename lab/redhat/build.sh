#!/bin/sh
# Runs in the new layer, over the Debian base: rsyslog, and stand-ins for what only Red Hat has or what no
# container can run, built from the folders beside this script.
set -eu

cd "$(dirname "$0")"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
apt-get -q update
apt-get -q -y -o APT::Install-Recommends=false install rsyslog
# A container's kernel log is empty, and rsyslog would read it again and again without a pause. Red Hat's rsyslog reads
# the journal instead.
sed -i '/imklog/d' /etc/rsyslog.conf

# Keys are nobody's, and made here, so that none is in the project.
mkdir -p rh-amazon-rhui-client/etc/pki/rhui
for name in content-rhel9 rhui-client-config-server-9; do
  openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/O=lab/CN=$name" \
    -keyout "rh-amazon-rhui-client/etc/pki/rhui/$name.key" -out "rh-amazon-rhui-client/etc/pki/rhui/$name.crt"
done

for control in */DEBIAN/control; do
  package=${control%%/*}
  # Sums of all but the files that an administrator may change, as dh_md5sums writes them.
  (cd "$package" && touch DEBIAN/conffiles && find . -type f ! -path './DEBIAN/*' -printf '%P\n' |
    sed 's,^,/,' | grep -vxFf DEBIAN/conffiles | sed 's,^/,,' | xargs -r md5sum > DEBIAN/md5sums)
  dpkg-deb --root-owner-group --build "$package" "$package.deb"
  dpkg --install "$package.deb"
done

apt-get -q clean
rm -rf /var/lib/apt/lists/*
