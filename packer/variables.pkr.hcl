# What shapes the image. The values are part of the bake key: another value is another image.

variable "image_role" {
  type        = string
  description = "What the image's machines are for: a folder of packer/roles/, which the playbook adds, and the tag Role."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", var.image_role))
    error_message = "The image_role must be a word of a-z, 0-9 and -, such as db."
  }
}

variable "image_version" {
  type        = string
  description = "Version that the image's page and its tag ImageVersion name."
  default     = "1.0.0"

  # It is the value of a tag, in which the amazon plugin expands Go templates.
  validation {
    condition     = !can(regex("\\{[{%#]|[[:cntrl:]]", var.image_version))
    error_message = "The image_version must be plain text on one line, without {{, {% and {#."
  }
}

variable "image_name_prefix" {
  type        = string
  description = "Beginning of the image's name; time and run make it unique. null takes the role: db-base for db."
  default     = null

  validation {
    condition     = var.image_name_prefix == null ? true : can(regex("^[A-Za-z0-9()\\[\\] ./'@_-]+$", var.image_name_prefix))
    error_message = "The image_name_prefix may hold letters, digits, spaces and ()[]./'@_- (EC2's CreateImage)."
  }
}

variable "ssh_username" {
  type        = string
  description = "The source image's default user, who must be allowed to become root."
  default     = "ec2-user"
}

variable "source_image_owners" {
  type        = list(string)
  description = "Accounts whose images may be the source; the default is Red Hat's."
  default     = ["309956199498"]
}

variable "source_image_name" {
  type        = string
  description = "Name of the source image, with * and ?; the newest that matches is taken."
  default     = "RHEL-9.*_HVM-*-Hourly2-*"
}

variable "source_image_architecture" {
  type        = string
  description = "Processor architecture of source and image."
  default     = "x86_64"
}

variable "encrypt_boot" {
  type        = bool
  description = "Encrypt the root volume of builder and image; false leaves it to the account's default."
  default     = true
}

variable "kms_key_id" {
  type        = string
  description = "KMS key of the encryption: id, ARN or alias. null takes the account's default key for EBS."
  default     = null
}

variable "root_volume_size" {
  type        = number
  description = "Size of the root volume of builder and image in GiB; null takes the source image's."
  default     = null
}

variable "root_volume_type" {
  type        = string
  description = "Type of the root volume of builder and image, such as gp3; null takes the source image's."
  default     = null
}

variable "imds_support" {
  type        = string
  description = "v2.0 makes machines of the image ask for session tokens at the instance metadata service; empty leaves it to each launch."
  default     = "v2.0"
}

variable "update_packages" {
  type        = bool
  description = "Bring the source image's packages up to date."
  default     = true
}
