# One image: packages, agents and configuration of a role; no secret, and no identity of one host.

locals {
  name_prefix = var.image_name_prefix == null ? "${var.image_role}-base" : var.image_name_prefix

  # Two builds within a minute, or in two places at once, must not collide.
  image_name = "${local.name_prefix}-${formatdate("YYYYMMDD'-'hhmmss", timestamp())}-${substr(uuidv4(), 0, 8)}"

  # On everything that a build makes, from its beginning on, so that what one may leave behind can be found. The tag
  # BakeKey, which means a finished image, is not here: the bake step writes it when Packer has ended.
  build_tags = {
    ManagedBy = "packer"
    BakeRun   = var.bake_key
    BakeId    = var.bake_id
    Role      = var.image_role
  }

  # As YAML. `!unsafe` is Ansible's word for data: it is never a template. `{` is escaped, because Packer's plugins
  # expand Go templates in their arguments.
  playbook_values = "{${join(", ", [for name, value in {
    image_role    = var.image_role
    image_version = var.image_version
    image_build   = var.bake_key
    image_commit  = var.git_commit
  } : "${name}: !unsafe ${replace(jsonencode(value), "{", "\\u007b")}"])}}"
}

source "amazon-ebs" "image" {
  region          = var.region
  instance_type   = var.instance_type
  subnet_id       = var.subnet_id
  ami_name        = local.image_name
  ami_description = "${var.image_role} ${var.image_version}, baked by Packer"
  imds_support    = var.imds_support

  source_ami_filter {
    filters = {
      name                = var.source_image_name
      architecture        = var.source_image_architecture
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }
    owners      = var.source_image_owners
    most_recent = true
  }

  # Encrypted from the start, so that the image is, too: no copy, and never a disk that is not.
  launch_block_device_mappings {
    device_name           = var.root_device_name
    encrypted             = var.encrypt_boot ? true : null
    kms_key_id            = var.kms_key_id
    volume_size           = var.root_volume_size
    volume_type           = var.root_volume_type
    delete_on_termination = true
  }

  communicator                          = "ssh"
  ssh_username                          = var.ssh_username
  ssh_interface                         = var.ssh_interface
  ssh_keep_alive_interval               = "5s"
  ssh_read_write_timeout                = var.ssh_read_write_timeout
  ssh_timeout                           = var.ssh_timeout
  temporary_key_pair_type               = "ed25519"
  security_group_ids                    = var.security_group_ids
  temporary_security_group_source_cidrs = var.temporary_security_group_source_cidrs
  # Without either, the plugin would let in the whole internet.
  temporary_security_group_source_public_ip = try(length(var.temporary_security_group_source_cidrs), 0) + try(length(var.security_group_ids), 0) == 0
  associate_public_ip_address               = var.associate_public_ip_address
  iam_instance_profile                      = var.iam_instance_profile
  # A builder that nobody ends any more ends itself. Not `shutdown +N`: this runs before logind is there.
  user_data = "#cloud-config\nbootcmd:\n  - ${jsonencode([
    "systemd-run", "--unit=end-builder", "--on-active=${var.builder_minutes}min", "--timer-property=AccuracySec=1s",
    "--timer-property=DefaultDependencies=no", "systemctl", "poweroff",
  ])}\n"
  shutdown_behavior = "terminate"

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  custom_endpoint_ec2        = var.custom_endpoint_ec2
  skip_credential_validation = var.skip_credential_validation
  skip_metadata_api_check    = var.skip_metadata_api_check

  # Nobody marks what is built by hand; its key is that of no bake, so no bake takes it for its own.
  tags = merge(local.build_tags, var.bake_key == "by-hand" ? { BakeKey = var.bake_key } : {}, {
    Name         = local.image_name
    ImageChannel = "candidate"
    ImageVersion = var.image_version
    GitCommit    = var.git_commit
    SourceImage  = "{{ .SourceAMI }}"
  })
  snapshot_tags   = merge(local.build_tags, { Name = local.image_name })
  run_tags        = merge(local.build_tags, { Name = "packer ${local.image_name}" })
  run_volume_tags = merge(local.build_tags, { Name = "packer ${local.image_name}" })
}

build {
  name    = "${var.image_role}-base"
  sources = ["source.amazon-ebs.image"]

  # First, so that Ansible finds a Python.
  provisioner "shell" {
    script           = "${path.root}/scripts/prepare.sh"
    execute_command  = "sudo env {{ .Vars }} sh '{{ .Path }}'"
    environment_vars = ["UPDATE_PACKAGES=${var.update_packages}"]
  }

  provisioner "ansible" {
    playbook_file   = "${path.root}/ansible/image.yml"
    user            = var.ssh_username
    use_proxy       = false
    extra_arguments = ["--extra-vars", local.playbook_values]
    ansible_env_vars = [
      "ANSIBLE_CONFIG=${path.root}/ansible/ansible.cfg",
    ]
  }

  # Hashes of what makes the builder itself: no machine of the image may have the same.
  provisioner "shell" {
    script          = "${path.root}/scripts/identity.sh"
    execute_command = "sudo sh -c 'mkdir -p /usr/lib/golden-image; sh {{ .Path }} > /usr/lib/golden-image/builder-identity'"
  }

  # Both over the connection that is open already: after the clean-up no key of this build lets anybody in.
  provisioner "shell" {
    scripts = [
      "${path.root}/scripts/clean.sh",
      "${path.root}/scripts/verify-clean.sh",
    ]
    execute_command = "sudo env {{ .Vars }} sh '{{ .Path }}'"
    skip_clean      = true
  }

  post-processor "manifest" {
    output     = var.manifest_path
    strip_path = true
    custom_data = {
      bake_key   = var.bake_key
      image_name = local.image_name
    }
  }
}
