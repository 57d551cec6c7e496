# How Packer reaches AWS and the builder, and facts of the run. Nothing of it goes into the image's content,
# so neither this file nor these values are part of the bake key.

variable "region" {
  type        = string
  description = "AWS region of builder and image."
  default     = "eu-west-1"
}

variable "instance_type" {
  type        = string
  description = "Size of the builder."
  default     = "t3.medium"
}

variable "subnet_id" {
  type        = string
  description = "Subnet of the builder; null takes the default VPC's."
  default     = null
}

variable "security_group_ids" {
  type        = list(string)
  description = "Security groups of the builder; null makes a temporary one that lets SSH in."
  default     = null
}

variable "temporary_security_group_source_cidrs" {
  type        = list(string)
  description = "Who may reach the builder's SSH through the temporary security group; null allows this machine's public address only."
  default     = null
}

variable "associate_public_ip_address" {
  type        = bool
  description = "Give the builder a public address; null leaves it to the subnet."
  default     = null
}

variable "ssh_interface" {
  type        = string
  description = "Which of the builder's addresses Packer uses: public_ip, private_ip, public_dns or private_dns."
  default     = null
}

variable "ssh_timeout" {
  type        = string
  description = "How long the builder may take until SSH answers."
  default     = "5m"
}

variable "ssh_read_write_timeout" {
  type        = string
  description = "After how long without an answer the connection to the builder is given up; Packer asks for one every 5 s."
  default     = "5m"
}

variable "iam_instance_profile" {
  type        = string
  description = "Instance profile of the builder; null for none."
  default     = null
}

variable "custom_endpoint_ec2" {
  type        = string
  description = "Another EC2 endpoint than AWS's; null for AWS."
  default     = null
}

variable "skip_credential_validation" {
  type        = bool
  description = "Do not ask STS who we are first."
  default     = false
}

variable "skip_metadata_api_check" {
  type        = bool
  description = "Do not look for credentials at the instance metadata service."
  default     = false
}

variable "bake_key" {
  type        = string
  description = "Hash of everything that goes into the image; the tag BakeRun of all that a build makes."
  default     = "by-hand"
}

variable "bake_id" {
  type        = string
  description = "Names this one run; the tag BakeId of all that it makes."
  default     = "by-hand"
}

variable "root_device_name" {
  type        = string
  description = "Root device of the source image, as DescribeImages names it: /dev/sda1 on RHEL, /dev/xvda on Debian."
  default     = "/dev/sda1"
}

variable "git_commit" {
  type        = string
  description = "Commit that the image is baked from; its tag GitCommit."
  default     = "unknown"
}

variable "manifest_path" {
  type        = string
  description = "Where the manifest goes."
  default     = "manifest.json"
}

variable "builder_minutes" {
  type        = number
  description = "After that long the builder ends itself, if nobody has ended it."
  default     = 120
}
