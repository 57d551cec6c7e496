#!/bin/sh
# The pair of clean.sh, and the bake's last word: fails, naming each of them, if anything is left that
# belongs to this build or to this one host. As root. ROOT is a folder to look at instead of /, for tests.
set -eu

ROOT=${ROOT-}
found=0

left() {
  echo "verify-clean: $1" >&2
  found=1
}

# Each path given that exists, except empty folders.
absent() {
  for path; do
    [ -e "$path" ] || [ -L "$path" ] || continue
    if [ -d "$path" ] && [ -z "$(find "$path" -mindepth 1 -print -quit)" ]; then continue; fi
    left "${path#"$ROOT"} is still there"
  done
}

[ ! -s "$ROOT/etc/machine-id" ] || left "/etc/machine-id is not empty"
[ -f "$ROOT/etc/machine-id" ] || left "/etc/machine-id is missing (it must be there, and empty)"
absent "$ROOT/var/lib/dbus/machine-id" "$ROOT/var/lib/systemd/random-seed" \
  "$ROOT/var/lib/systemd/credential.secret" "$ROOT/etc/hostname"
absent "$ROOT"/var/lib/cloud/instance "$ROOT"/var/lib/cloud/instances "$ROOT"/var/lib/cloud/data \
  "$ROOT"/var/lib/cloud/sem "$ROOT"/var/lib/cloud/seed/*
absent "$ROOT"/etc/ssh/ssh_host_*
absent "$ROOT"/etc/pki/consumer "$ROOT"/etc/pki/entitlement "$ROOT"/etc/insights-client/machine-id \
  "$ROOT"/etc/insights-client/.registered "$ROOT"/etc/insights-client/.unregistered
if [ -z "$ROOT" ] && systemctl --quiet is-active rhsmcertd.service; then
  left "rhsmcertd.service runs, and may register this machine after the clean-up"
fi
absent "$ROOT"/etc/NetworkManager/system-connections/cloud-init-*.nmconnection \
  "$ROOT"/etc/sysconfig/network-scripts/ifcfg-eth0 "$ROOT"/var/lib/NetworkManager/secret_key
absent "$ROOT/root/.ssh/authorized_keys" "$ROOT"/home/*/.ssh/authorized_keys
for home in "$ROOT/root" "$ROOT"/home/*; do
  absent "$home/.ansible" "$home/.cache" "$home/.bash_history" "$home/.python_history" "$home/.lesshst" \
    "$home/.viminfo" "$home/.wget-hsts"
done
absent "$ROOT"/home/packer
absent "$ROOT"/var/lib/apt/lists/* "$ROOT"/var/cache/dnf/*
absent "$ROOT"/var/lib/dhcp "$ROOT"/var/lib/dhclient
absent "$ROOT"/var/log/journal/*
logs=$(find "$ROOT/var/log" -type f -size +0 -exec printf '%s ' {} +)
[ -z "$logs" ] || left "not empty: $logs"

rm -f "$ROOT"/tmp/script_*.sh
absent "$ROOT"/tmp/* "$ROOT"/var/tmp/*

[ "$found" = 0 ] && echo "verify-clean: nothing is left"
exit "$found"
