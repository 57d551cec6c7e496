#!/bin/sh
# After everything else: take away what belongs to this build or to this one host. As root.
# verify-clean.sh is its pair: what this removes, that one checks. docs/clean-up.md: the catalogue that both follow.
# ROOT is a folder to clean instead of /, for tests.
set -eu

ROOT=${ROOT-}

# Files below folders that need not exist; the folders stay, with their owners and modes.
empty() {
  for folder; do
    if [ -d "$folder" ]; then find "$folder" -type f -delete; fi
  done
}

# A registration with Red Hat: this machine's alone. First, because it is logged.
# What registers, minutes after a boot, must not come after this script either. The masks are in /run, not in the image.
if [ -z "$ROOT" ] && command -v subscription-manager >/dev/null; then
  systemctl --quiet mask --runtime --now rhsmcertd.service insights-client.timer insights-client.service \
    insights-register.path insights-register.service rhcd.service
  subscription-manager clean
fi
rm -f "$ROOT"/etc/pki/consumer/* "$ROOT"/etc/pki/entitlement/*
rm -f "$ROOT"/etc/insights-client/machine-id "$ROOT"/etc/insights-client/.registered "$ROOT"/etc/insights-client/.unregistered
rm -rf "$ROOT"/var/lib/rhsm/facts "$ROOT"/var/lib/rhsm/cache "$ROOT"/etc/sysconfig/rhn/systemid "$ROOT"/var/lib/yum/uuid

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

# What services made of this machine when they were installed or first ran; each makes it anew.
rm -rf "$ROOT"/etc/nvme/hostnqn "$ROOT"/etc/nvme/hostid "$ROOT"/etc/salt/minion_id "$ROOT"/etc/salt/pki/minion \
  "$ROOT"/etc/puppetlabs/puppet/ssl "$ROOT"/etc/puppet/ssl "$ROOT"/var/lib/puppet/ssl "$ROOT"/etc/docker/key.json \
  "$ROOT"/var/lib/docker/engine-id "$ROOT"/var/lib/tailscale/tailscaled.state "$ROOT"/var/lib/zerotier-one/identity.* \
  "$ROOT"/var/lib/amazon/ssm/Vault "$ROOT"/etc/sysconfig/hw-uuid "$ROOT"/etc/smolt "$ROOT"/etc/krb5.keytab
if [ -f "$ROOT/etc/iscsi/initiatorname.iscsi" ]; then
  # Debian's service makes a name where it is asked to, Red Hat's where there is none.
  if [ -d "$ROOT/var/lib/dpkg" ]; then echo GenerateName=yes > "$ROOT/etc/iscsi/initiatorname.iscsi"
  else rm "$ROOT/etc/iscsi/initiatorname.iscsi"; fi
fi
empty "$ROOT/var/lib/sss/db" "$ROOT/var/lib/sss/mc" "$ROOT/var/lib/sss/secrets"
# LVM would not look at other disks than this machine's.
rm -f "$ROOT"/etc/lvm/devices/system.devices "$ROOT"/etc/blkid.tab "$ROOT"/etc/blkid/blkid.tab
rm -f "$ROOT"/etc/udev/rules.d/70-persistent-net.rules "$ROOT"/var/lib/rpm/__db.*

rm -f "$ROOT"/etc/ssh/ssh_host_*
# Former versions of the account files may hold a hash that is not in force any longer.
rm -f "$ROOT"/etc/passwd- "$ROOT"/etc/shadow- "$ROOT"/etc/group- "$ROOT"/etc/gshadow- "$ROOT"/etc/subuid- \
  "$ROOT"/etc/subgid- "$ROOT"/etc/security/opasswd
for home in "$ROOT/root" "$ROOT"/home/*; do
  rm -rf "$home"/.ssh/authorized_keys "$home"/.ssh/authorized_keys2 "$home"/.ssh/known_hosts* "$home/.ansible" \
    "$home/.cache" "$home"/.*_history "$home/.lesshst" "$home/.viminfo" "$home/.wget-hsts"
done
# An installer's record may hold password hashes.
rm -f "$ROOT"/root/anaconda-*.cfg "$ROOT"/root/original-ks.cfg "$ROOT"/root/initial-setup-ks.cfg \
  "$ROOT"/root/anaconda-post.log "$ROOT"/root/install.log*

if [ -z "$ROOT" ] && command -v apt-get >/dev/null; then apt-get -q clean; fi
if [ -z "$ROOT" ] && command -v dnf >/dev/null; then dnf -q clean all; fi
rm -rf "$ROOT"/var/lib/apt/lists/* "$ROOT"/var/cache/apt/*.bin "$ROOT"/var/cache/dnf/*

# What cloud-init rendered for this machine's network card; it does so anew for each.
rm -f "$ROOT"/etc/NetworkManager/system-connections/cloud-init-*.nmconnection \
  "$ROOT"/etc/sysconfig/network-scripts/ifcfg-eth0 "$ROOT"/etc/dhcpcd.duid
for file in "$ROOT"/etc/sysconfig/network-scripts/ifcfg-*; do
  if [ -f "$file" ]; then sed -i '/^HWADDR=/d' "$file"; fi
done
rm -f "$ROOT"/var/lib/NetworkManager/secret_key "$ROOT"/var/lib/NetworkManager/timestamps \
  "$ROOT"/var/lib/NetworkManager/seen-bssids
rm -rf "$ROOT"/var/lib/dhcp/* "$ROOT"/var/lib/dhclient/* "$ROOT"/var/lib/dhcpcd/* "$ROOT"/var/lib/dhcpv6/* \
  "$ROOT"/var/lib/NetworkManager/*lease*

# What the build has set off: mail, jobs of at, accounting, crashes and their reports.
empty "$ROOT/var/mail" "$ROOT/var/spool/mail" "$ROOT/var/spool/mqueue" "$ROOT/var/spool/clientmqueue" \
  "$ROOT/var/spool/exim4/input" "$ROOT/var/spool/postfix/maildrop" "$ROOT/var/spool/postfix/incoming" \
  "$ROOT/var/spool/postfix/active" "$ROOT/var/spool/postfix/deferred" "$ROOT/var/spool/at" \
  "$ROOT/var/spool/cron/atjobs" "$ROOT/var/account" "$ROOT/var/crash" "$ROOT/var/lib/systemd/coredump"
rm -rf "$ROOT"/var/spool/abrt/* "$ROOT"/var/spool/abrt-upload/* "$ROOT"/var/lib/abrt/*

# Logs: files stay, with their owners and modes, and are empty. The journal's own go.
rm -rf "$ROOT"/var/log/journal/* "$ROOT"/run/log/journal/*
find "$ROOT/var/log" -type f \( -name '*.gz' -o -name '*.[0-9]' -o -name '*.old' \) -delete
find "$ROOT/var/log" -type f -exec sh -c 'for file; do : > "$file"; done' sh {} +

# Last. The script that runs lies in /tmp itself; it is read already, and verify-clean.sh removes its own.
find "$ROOT/tmp" "$ROOT/var/tmp" -mindepth 1 -maxdepth 1 ! -name 'script_*.sh' -exec rm -rf {} +
