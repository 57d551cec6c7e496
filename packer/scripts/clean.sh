#!/bin/sh
# After everything else: take away what belongs to this build or to this one host. As root.
# verify-clean.sh is its pair: what this removes, that one checks.
# ROOT is a folder to clean instead of /, for tests.
set -eu

ROOT=${ROOT-}

# A registration with Red Hat: this machine's alone. First, because it is logged.
# What registers, minutes after a boot, must not come after this script either. The masks are in /run, not in the image.
if [ -z "$ROOT" ] && command -v subscription-manager >/dev/null; then
  systemctl --quiet mask --runtime --now rhsmcertd.service insights-client.timer insights-client.service \
    insights-register.path insights-register.service rhcd.service
  subscription-manager clean
fi
rm -f "$ROOT"/etc/pki/consumer/* "$ROOT"/etc/pki/entitlement/*
rm -f "$ROOT"/etc/insights-client/machine-id "$ROOT"/etc/insights-client/.registered "$ROOT"/etc/insights-client/.unregistered

# Whoever keeps logs stops first: a login is logged at any time, also between this script and its pair, and while the
# machine shuts down. The journal goes on in memory alone.
if [ -z "$ROOT" ]; then
  journalctl --relinquish-var
  if systemctl --quiet is-active rsyslog.service; then systemctl stop syslog.socket rsyslog.service; fi
  if systemctl --quiet is-active auditd.service; then
    systemctl kill auditd.service  # it refuses `stop`
    timeout 10 sh -c 'while systemctl --quiet is-active auditd.service; do sleep 0.2; done' ||
      { echo "clean: auditd does not end" >&2; exit 1; }
  fi
fi

if [ -z "$ROOT" ] && command -v cloud-init >/dev/null; then
  cloud-init clean --logs --seed
fi
rm -rf "$ROOT"/var/lib/cloud/instance "$ROOT"/var/lib/cloud/instances/* "$ROOT"/var/lib/cloud/data/* \
  "$ROOT"/var/lib/cloud/sem/* "$ROOT"/var/lib/cloud/seed/*

# It would write a seed while the machine shuts down. In /run, so that the image does not have the mask.
if [ -z "$ROOT" ]; then systemctl --quiet mask --runtime systemd-random-seed.service; fi

# Empty, not gone: systemd then makes a new one at the first boot, and services that need one may start.
mkdir -p "$ROOT/etc"
: > "$ROOT/etc/machine-id"
rm -f "$ROOT/var/lib/dbus/machine-id" "$ROOT/var/lib/systemd/random-seed" \
  "$ROOT/var/lib/systemd/credential.secret"
rm -f "$ROOT/etc/hostname"

rm -f "$ROOT"/etc/ssh/ssh_host_*
rm -f "$ROOT/root/.ssh/authorized_keys" "$ROOT"/home/*/.ssh/authorized_keys

for home in "$ROOT/root" "$ROOT"/home/*; do
  rm -rf "$home/.ansible" "$home/.cache" "$home/.bash_history" "$home/.python_history" "$home/.lesshst" \
    "$home/.viminfo" "$home/.wget-hsts"
done

if [ -z "$ROOT" ] && command -v apt-get >/dev/null; then apt-get -q clean; fi
if [ -z "$ROOT" ] && command -v dnf >/dev/null; then dnf -q clean all; fi
rm -rf "$ROOT"/var/lib/apt/lists/* "$ROOT"/var/cache/apt/*.bin "$ROOT"/var/cache/dnf/*

# What cloud-init rendered for this machine's network card; it does so anew for each.
rm -f "$ROOT"/etc/NetworkManager/system-connections/cloud-init-*.nmconnection \
  "$ROOT"/etc/sysconfig/network-scripts/ifcfg-eth0
rm -f "$ROOT/var/lib/NetworkManager/secret_key"
rm -rf "$ROOT"/var/lib/dhcp/* "$ROOT"/var/lib/dhclient/* "$ROOT"/var/lib/NetworkManager/*lease*

# Logs: files stay, with their owners and modes, and are empty. The journal's own go.
rm -rf "$ROOT"/var/log/journal/* "$ROOT"/run/log/journal/*
find "$ROOT/var/log" -type f \( -name '*.gz' -o -name '*.[0-9]' -o -name '*.old' \) -delete
find "$ROOT/var/log" -type f -exec sh -c 'for file; do : > "$file"; done' sh {} +

# Last. The script that runs lies in /tmp itself; it is read already, and verify-clean.sh removes its own.
find "$ROOT/tmp" "$ROOT/var/tmp" -mindepth 1 -maxdepth 1 ! -name 'script_*.sh' -exec rm -rf {} +
