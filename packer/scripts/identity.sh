#!/bin/sh
# Print what makes this machine itself, as lines of hash and name: what is equal on two machines is no identity.
# Runs on the builder before the clean-up, and on each machine that is validated. As root. Hashes, for the values
# are nobody's business. ROOT is a folder to look at instead of /, for tests.
set -eu

ROOT=${ROOT-}

# The hash of standard input, and a name.
tell() {
  printf '%s  %s\n' "$(sha256sum | cut -d' ' -f1)" "$1"
}

# A file's, if it has any content.
file() {
  if [ -s "$ROOT$2" ]; then tell "$1" < "$ROOT$2"; fi
}

file machine-id /etc/machine-id
# A link to the machine-id is not a second one.
[ -L "$ROOT/var/lib/dbus/machine-id" ] || file "d-bus id" /var/lib/dbus/machine-id
file "systemd random seed" /var/lib/systemd/random-seed
file "cloud-init instance id" /var/lib/cloud/data/instance-id
file "rhsm consumer" /etc/pki/consumer/cert.pem
file "insights machine-id" /etc/insights-client/machine-id
for key in "$ROOT"/etc/ssh/ssh_host_*_key.pub; do
  [ -s "$key" ] || continue
  type=${key##*/ssh_host_}
  cut -d' ' -f1,2 "$key" | tell "ssh host key ${type%_key.pub}"
done
# Host keys that sshd has elsewhere; as root it names them without a connection.
if [ -z "$ROOT" ]; then
  "$(command -v sshd || echo /usr/sbin/sshd)" -T 2>/dev/null | sed -n 's/^hostkey //p' | while read -r key; do
    case $key in /etc/ssh/ssh_host_*) continue ;; esac
    if [ -s "$key" ]; then ssh-keygen -y -f "$key" | cut -d' ' -f1,2 | tell "ssh host key $key"; fi
  done
fi
if [ -z "$ROOT" ]; then
  uname -n | tell hostname
  # EC2 makes the name of the address: with the builder's address goes its name.
  ip -4 -o address show scope global | awk '{ print $4; exit }' | tell address
else
  file hostname /etc/hostname
fi
