# The Coder template of these workspaces: one container with systemd as PID 1, booted from our image.
# Nothing here is pasted into shell: what the workspace needs to know is one JSON document.

terraform {
  required_version = ">= 1.9"

  required_providers {
    coder = {
      source  = "coder/coder"
      version = ">= 2.13, < 3.0"
    }
    docker = {
      source  = "kreuzwerker/docker"
      version = ">= 4.0, < 5.0"
    }
  }
}

variable "image_repository" {
  type        = string
  default     = "ghcr.io/coder-ws-runtime/coder-workspace"
  description = "Where the images come from; the tag is the stack. Name your own registry here."
}

variable "pin_image" {
  type        = bool
  default     = true
  description = "Ask the registry for the image's digest at every start. Without it the image that the host has is used, and a registry that is down keeps nobody from working."
}

variable "docker_socket" {
  type        = string
  default     = "/var/run/docker.sock"
  description = "The host's Docker socket, as the host names it."
}

data "coder_provisioner" "me" {}
data "coder_workspace" "me" {}
data "coder_workspace_owner" "me" {}

# What a user chooses ---------------------------------------------------------------------------------

data "coder_parameter" "workspace_image" {
  name         = "workspace_image"
  display_name = "Image"
  description  = "What is installed beside Docker, Git and Node."
  type         = "string"
  form_type    = "radio"
  default      = "base"
  mutable      = true
  order        = 1

  option {
    name        = "Base"
    icon        = "/icon/debian.svg"
    description = "Docker, Git, Node by nvm, Claude Code."
    value       = "base"
  }
  option {
    name        = "Node"
    icon        = "/icon/nodejs.svg"
    description = "The base, under the name that Node projects look for."
    value       = "node"
  }
  option {
    name        = "C++"
    icon        = "/icon/cpp.svg"
    description = "LLVM, CMake and sccache on top of the base."
    value       = "cpp"
  }
}

data "coder_parameter" "repo_url" {
  name         = "repo_url"
  display_name = "Repository"
  description  = "Cloned into the projects directory at the first start; empty for none."
  type         = "string"
  form_type    = "input"
  default      = ""
  mutable      = true
  order        = 2

  validation {
    regex = "^$|^(https?|ssh|git)://[^[:space:]'\"`$\\\\]+$|^[A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+:[^[:space:]'\"`$\\\\]+$"
    error = "Give a URL as git clone takes it, e.g. https://github.com/you/project.git, or nothing."
  }
}

data "coder_parameter" "directory" {
  name         = "directory"
  display_name = "Directory"
  description  = "What editors open; an absolute path, empty for the projects directory."
  type         = "string"
  form_type    = "input"
  default      = ""
  mutable      = true
  order        = 3

  validation {
    regex = "^$|^/[A-Za-z0-9_./ -]*$"
    error = "Give an absolute path of letters, digits and . _ - /, e.g. /home/coder/projects/app, or nothing."
  }
}

data "coder_parameter" "additional_ports" {
  name         = "additional_ports"
  display_name = "Additional ports"
  description  = "Ports of the workspace on the host: 8080, 8080:80 (host:workspace), 5353/udp. They bind to 127.0.0.1 unless another address is named: 0.0.0.0:8080:80."
  type         = "list(string)"
  form_type    = "tag-select"
  default      = jsonencode([])
  mutable      = true
  order        = 4
}

data "coder_parameter" "home_persist_paths" {
  name         = "home_persist_paths"
  display_name = "Paths that last"
  description  = "Relative to the home; a trailing / means a directory: .config/gh/. They are kept on the owner's volume."
  type         = "list(string)"
  form_type    = "tag-select"
  default      = jsonencode([])
  mutable      = true
  order        = 5
}

data "coder_parameter" "jetbrains_allow_updates" {
  name         = "jetbrains_allow_updates"
  display_name = "JetBrains updates"
  description  = "Whether Toolbox may update the IDE backends in this workspace."
  type         = "bool"
  form_type    = "switch"
  default      = false
  mutable      = true
  order        = 6
}

data "coder_parameter" "memory" {
  name         = "memory"
  display_name = "Memory"
  description  = "Limit in GiB; 0 for none."
  type         = "number"
  form_type    = "input"
  default      = 0
  mutable      = true
  order        = 7

  validation {
    min   = 0
    max   = 1024
    error = "Give a number of GiB from 0 to 1024."
  }
}

data "coder_parameter" "cpus" {
  name         = "cpus"
  display_name = "CPUs"
  description  = "Limit in cores; 0 for none."
  type         = "number"
  form_type    = "input"
  default      = 0
  mutable      = true
  order        = 8

  validation {
    min   = 0
    max   = 256
    error = "Give a number of cores from 0 to 256."
  }
}

locals {
  home     = "/home/coder"
  projects = "${local.home}/projects"

  directory = coalesce(data.coder_parameter.directory.value, local.projects)
  stack     = data.coder_parameter.workspace_image.value
  image     = "${var.image_repository}:${local.stack}"

  # A port is [address:][host:]workspace[/protocol].
  port_pattern = "^(?:([0-9.]+):)?(?:([0-9]{1,5}):)?([0-9]{1,5})(?:/(tcp|udp))?$"
  port_texts   = jsondecode(data.coder_parameter.additional_ports.value)
  bad_ports    = [for text in local.port_texts : text if !can(regex(local.port_pattern, text))]
  ports = [
    for text in local.port_texts : {
      ip       = coalesce(regex(local.port_pattern, text)[0], "127.0.0.1")
      external = tonumber(coalesce(regex(local.port_pattern, text)[1], regex(local.port_pattern, text)[2]))
      internal = tonumber(regex(local.port_pattern, text)[2])
      protocol = coalesce(regex(local.port_pattern, text)[3], "tcp")
    } if can(regex(local.port_pattern, text))
  ]
  ports_out_of_range = [
    for port in local.ports : port.external
    if port.external < 1 || port.external > 65535 || port.internal < 1 || port.internal > 65535
  ]
  port_ends = [for port in local.ports : "${port.external}/${port.protocol}"]

  paths     = jsondecode(data.coder_parameter.home_persist_paths.value)
  bad_paths = [for path in local.paths : path if length(regexall("[[:cntrl:]]|(^|/)\\.\\.(/|$)", path)) > 0]

  # A Coder on this host calls itself localhost, which in the container is the container.
  access_url  = replace(data.coder_workspace.me.access_url, "/\\b(localhost|127\\.0\\.0\\.1)\\b/", "host.docker.internal")
  init_script = replace(coder_agent.main.init_script, "/\\b(localhost|127\\.0\\.0\\.1)\\b/", "host.docker.internal")

  # The model of this document is coder_ws_runtime/settings_model.py.
  settings = {
    version = 1
    workspace = {
      id         = data.coder_workspace.me.id
      name       = data.coder_workspace.me.name
      owner      = data.coder_workspace_owner.me.name
      access_url = local.access_url
    }
    home_persist_paths = local.paths
    projects           = local.projects
    jetbrains          = { allow_updates = tobool(data.coder_parameter.jetbrains_allow_updates.value) }
    web_shell          = { directory = local.directory, title = data.coder_workspace.me.name }
  }
}

# The agent ---------------------------------------------------------------------------------------------

resource "coder_agent" "main" {
  os   = "linux"
  arch = data.coder_provisioner.me.arch

  metadata {
    key          = "doctor"
    display_name = "Doctor"
    script       = "ws-doctor --metadata"
    interval     = 60
    timeout      = 10
  }
}

# One script, because what is ordered belongs in one. systemd has run the same commands before the agent
# started; here they show what they say. One that fails does not keep the next from running.
resource "coder_script" "start" {
  agent_id           = coder_agent.main.id
  display_name       = "Workspace"
  icon               = "/icon/coder.svg"
  run_on_start       = true
  start_blocks_login = true
  timeout            = 900
  script             = <<-EOT
    #!/bin/sh
    status=0
    home-persist resolve || status=$?
    ws-boot docker-group || status=$?
    ws-boot jetbrains || status=$?
    ws-boot hooks --once || status=$?
    exit "$status"
  EOT
}

# The container -----------------------------------------------------------------------------------------

data "docker_registry_image" "workspace" {
  count = var.pin_image ? 1 : 0
  name  = local.image
}

resource "docker_image" "workspace" {
  name          = var.pin_image ? "${local.image}@${data.docker_registry_image.workspace[0].sha256_digest}" : local.image
  keep_locally  = true
  pull_triggers = var.pin_image ? [data.docker_registry_image.workspace[0].sha256_digest] : []
}

resource "docker_container" "workspace" {
  count = data.coder_workspace.me.start_count

  name     = "coder-${data.coder_workspace_owner.me.name}-${lower(data.coder_workspace.me.name)}"
  hostname = data.coder_workspace.me.name
  image    = docker_image.workspace.image_id

  # systemd as PID 1 needs it, and so does whoever has the host's Docker socket anyway.
  privileged = true
  restart    = "unless-stopped"
  memory     = data.coder_parameter.memory.value > 0 ? data.coder_parameter.memory.value * 1024 : null
  cpus       = data.coder_parameter.cpus.value > 0 ? tostring(data.coder_parameter.cpus.value) : null

  # systemd takes SIGTERM as "execute yourself anew". Without destroy_grace_seconds the provider kills.
  stop_signal           = "SIGRTMIN+3"
  stop_timeout          = 30
  destroy_grace_seconds = 30

  # systemd would lay a tmpfs of its own over /run and hide the socket.
  tmpfs = {
    "/run"      = "rw,nosuid,nodev,mode=755"
    "/run/lock" = "rw,nosuid,nodev,noexec"
  }

  env = [
    "CODER_AGENT_TOKEN=${coder_agent.main.token}",
    "CODER_AGENT_URL=${local.access_url}",
  ]

  host {
    host = "host.docker.internal"
    ip   = "host-gateway"
  }

  # Volumes are named and not managed: what is no resource is never destroyed with a workspace.
  volumes {
    host_path      = var.docker_socket
    container_path = "/var/run/docker.sock"
  }
  volumes {
    volume_name    = "coder-${data.coder_workspace_owner.me.id}-home"
    container_path = "/mnt/home-persist"
  }
  volumes {
    volume_name    = "coder-${data.coder_workspace.me.id}-projects"
    container_path = local.projects
  }
  volumes {
    volume_name    = "coder-shared"
    container_path = "/mnt/shared"
  }

  upload {
    file       = "/etc/coder/agent-init.sh"
    content    = local.init_script
    executable = true
  }
  upload {
    file    = "/etc/coder/workspace.json"
    content = jsonencode(local.settings)
  }

  dynamic "ports" {
    for_each = local.ports
    content {
      ip       = ports.value.ip
      external = ports.value.external
      internal = ports.value.internal
      protocol = ports.value.protocol
    }
  }

  dynamic "labels" {
    for_each = {
      "coder.owner"          = data.coder_workspace_owner.me.name
      "coder.owner_id"       = data.coder_workspace_owner.me.id
      "coder.workspace_id"   = data.coder_workspace.me.id
      "coder.workspace_name" = data.coder_workspace.me.name
    }
    content {
      label = labels.key
      value = labels.value
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.bad_ports) == 0
      error_message = "additional_ports: ${join(", ", [for text in local.bad_ports : jsonencode(text)])} is no port. Write 8080, 8080:80, 5353/udp or 0.0.0.0:8080:80."
    }
    precondition {
      condition     = length(local.ports_out_of_range) == 0
      error_message = "additional_ports: a port is a number from 1 to 65535."
    }
    precondition {
      condition     = length(distinct(local.port_ends)) == length(local.port_ends)
      error_message = "additional_ports: the same port of the host is named twice: ${join(", ", local.port_ends)}."
    }
    precondition {
      condition     = length(local.bad_paths) == 0
      error_message = "home_persist_paths: ${join(", ", [for path in local.bad_paths : jsonencode(path)])} has '..' or a control character. Write paths relative to the home, e.g. .config/gh/."
    }
  }
}
