# The Coder template of these workspaces: one container with systemd as PID 1, booted from our image.
# docs/template.md says how to push it and what each variable is for.
#
# No parameter reaches a shell unchecked. What the workspace has to know is one JSON document. The
# modules of Coder's registry do paste text into scripts of theirs; what they get has been matched
# against an alphabet in which nothing means anything to a shell.

terraform {
  required_version = ">= 1.9" # which the modules need, too

  required_providers {
    coder = {
      source  = "coder/coder"
      version = ">= 2.13, < 3.0"
    }
    docker = {
      source  = "kreuzwerker/docker"
      version = ">= 4.4, < 5.0" # since 4.4 a host's path wins over a volume's name
    }
  }
}

# What the platform engineer sets when pushing the template ------------------------------------------

variable "image_repository" {
  type        = string
  default     = "ghcr.io/coder-ws-runtime/coder-workspace"
  description = "Where the images come from; the tag is the stack. With a registry in it (ghcr.io/…, docker.io/…) the image is pulled; without one (coder-workspace) it is the host's own."

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._:-]*(/[a-z0-9][a-z0-9._-]*)*$", var.image_repository))
    error_message = "Give a repository without tag and digest, e.g. ghcr.io/you/coder-workspace."
  }
}

variable "pin_image" {
  type        = bool
  default     = true
  description = "Ask the registry for the image's digest at every start. With false the image that the host has is used, and a registry that is down keeps nobody from working."
}

variable "image_digests" {
  type        = map(string)
  default     = {}
  description = "Digests by tag, e.g. {\"base\": \"sha256:…\"}. Such an image is the one that you named, the registry is asked for nothing, and one that is down keeps nobody from working whose host has the image."

  validation {
    condition     = alltrue([for digest in values(var.image_digests) : can(regex("^sha256:[0-9a-f]{64}$", digest))])
    error_message = "Give digests as registries do: sha256: and 64 hexadecimal digits."
  }
}

variable "registry_config" {
  type        = string
  default     = ""
  sensitive   = true
  description = "For a private registry: the text of a Docker config.json that holds its credentials."

  validation {
    condition     = var.registry_config == "" || can(jsondecode(var.registry_config).auths)
    error_message = "Give the text of a Docker config.json: {\"auths\": {\"ghcr.io\": {\"auth\": \"…\"}}}."
  }
}

variable "docker_host" {
  type        = string
  default     = ""
  description = "The Docker engine that runs the workspaces, e.g. ssh://coder@build-2. Empty: the provisioner's own."

  validation {
    condition     = var.docker_host == "" || can(regex("^(unix|tcp|ssh)://.", var.docker_host))
    error_message = "Give a URL as DOCKER_HOST has it, e.g. ssh://coder@build-2 or unix:///run/docker.sock."
  }
}

variable "docker_socket" {
  type        = string
  default     = "/var/run/docker.sock"
  description = "The Docker socket that workspaces get, as the engine's host names it."

  validation {
    condition     = startswith(var.docker_socket, "/")
    error_message = "Give an absolute path. Which engine runs the workspaces is said by docker_host."
  }
}

variable "arch" {
  type        = string
  default     = ""
  description = "amd64 or arm64, where the engine's host is of another kind than the provisioner's. Empty: the provisioner's."

  validation {
    condition     = contains(["", "amd64", "arm64"], var.arch)
    error_message = "The images are built for amd64 and arm64."
  }
}

variable "home_volume" {
  type        = string
  default     = "coder-{owner_id}-home"
  description = "Name of the volume that one owner's workspaces share; {owner_id} and {owner} are replaced. A user can be renamed, an id stays."

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_.-]*$", replace(var.home_volume, "/[{]owner(_id)?[}]/", "x"))) && can(regex("[{]owner(_id)?[}]", var.home_volume))
    error_message = "Give a name of a Docker volume with {owner_id} or {owner} in it: owners do not share a home."
  }
}

variable "shared_volume" {
  type        = string
  default     = "coder-shared"
  description = "Name of the volume that all workspaces on a host share at /mnt/shared."

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_.-]+$", var.shared_volume))
    error_message = "Give a name of a Docker volume, of letters, digits and _ . - only."
  }
}

variable "max_memory" {
  type        = number
  default     = 64
  description = "The most memory that a user may choose, in GiB."

  validation {
    condition     = var.max_memory >= 1 && floor(var.max_memory) == var.max_memory
    error_message = "Give a whole number of GiB, 1 at least."
  }
}

variable "max_cpus" {
  type        = number
  default     = 16
  description = "The most cores that a user may choose. Docker refuses more than the host has."

  validation {
    condition     = var.max_cpus >= 1 && floor(var.max_cpus) == var.max_cpus
    error_message = "Give a whole number of cores, 1 at least."
  }
}

variable "jetbrains_builds" {
  type = map(string)
  default = {
    CL = "261.26222.59"
    GO = "261.26222.72"
    IU = "261.22158.277"
    PS = "261.26222.71"
    PY = "261.22158.340"
    RD = "262.8665.328"
    RM = "261.26222.67"
    RR = "261.24374.182"
    WS = "253.29346.242"
  }
  description = "The JetBrains IDEs on offer: product code and build that Toolbox installs. Named here, so that nobody asks JetBrains when a workspace starts."

  validation {
    condition     = length(var.jetbrains_builds) > 0
    error_message = "Name at least one IDE, e.g. {\"IU\": \"261.22158.277\"}."
  }
}

provider "docker" {
  host = var.docker_host != "" ? var.docker_host : null

  dynamic "registry_auth" {
    for_each = local.in_registry && nonsensitive(var.registry_config != "") ? [split("/", var.image_repository)[0]] : []
    content {
      address             = registry_auth.value
      config_file_content = var.registry_config
    }
  }
}

data "coder_provisioner" "me" {}
data "coder_workspace" "me" {}
data "coder_workspace_owner" "me" {}

# What a user chooses ---------------------------------------------------------------------------------

# The options are those of images/stacks.toml; a test keeps them equal.
data "coder_parameter" "workspace_image" {
  name         = "workspace_image"
  display_name = "Image"
  description  = "What is installed beside Docker, Git and Node."
  icon         = "/icon/container.svg"
  type         = "string"
  form_type    = "radio"
  default      = "base"
  mutable      = true
  order        = 1

  option {
    name        = "Base"
    description = "Docker, Git, Node by nvm, Claude Code."
    value       = "base"
    icon        = "/icon/debian.svg"
  }
  option {
    name        = "Node"
    description = "The base, under the name that Node projects look for."
    value       = "node"
    icon        = "/icon/nodejs.svg"
  }
  option {
    name        = "C++"
    description = "LLVM, CMake and sccache on top of the base."
    value       = "cpp"
    icon        = "/icon/cpp.svg"
  }
}

data "coder_parameter" "repo_url" {
  name         = "repo_url"
  display_name = "Repository"
  description  = "Cloned into the projects directory where it is not there yet. Empty: none."
  icon         = "/icon/git.svg"
  type         = "string"
  form_type    = "input"
  default      = ""
  mutable      = true
  order        = 2
  styling      = jsonencode({ placeholder = "https://github.com/you/project.git" })

  # A component may begin with a dot, and is not . or ..
  validation {
    regex = "^$|^((https?|ssh|git)://([A-Za-z0-9][A-Za-z0-9._~%+:-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?|[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[A-Za-z0-9._~%+@-]*[A-Za-z0-9_~%+@-])(/[.]?[A-Za-z0-9_~%+@-][A-Za-z0-9._~%+@-]*)*/?$"
    error = "Give a URL as git clone takes it, e.g. https://github.com/you/project.git or git@github.com:you/project.git, of letters, digits and . _ ~ % + @ - / : only. Or nothing."
  }
}

data "coder_parameter" "directory" {
  name         = "directory"
  display_name = "Directory"
  description  = "What editors and terminals open: an absolute path. Empty: the cloned repository, else the projects directory."
  icon         = "/icon/folder.svg"
  type         = "string"
  form_type    = "input"
  default      = ""
  mutable      = true
  order        = 3
  styling      = jsonencode({ placeholder = "/home/coder/projects" })

  validation {
    regex = "^$|^(/[.]{0,2}[A-Za-z0-9_@+-][A-Za-z0-9_.@+-]*)+/?$"
    error = "Give an absolute path of letters, digits and . _ @ + - / without '..', e.g. /home/coder/projects/app. Or nothing."
  }
}

data "coder_parameter" "additional_ports" {
  name         = "additional_ports"
  display_name = "Additional ports"
  description  = "Ports of the host that lead into the workspace: `8080`, `8080:80` (host:workspace), `5353/udp`. They listen on 127.0.0.1 unless an address is named: `0.0.0.0:8080:80`, `[::]:8080:80`."
  icon         = "/icon/widgets.svg"
  type         = "list(string)"
  form_type    = "tag-select"
  default      = jsonencode([])
  mutable      = true
  order        = 4
}

data "coder_parameter" "home_persist_paths" {
  name         = "home_persist_paths"
  display_name = "Paths that last"
  description  = "Below the home, kept on your volume beside what the image declares. A trailing / means a directory: `.config/gh/`, `.vimrc`."
  icon         = "/icon/database.svg"
  type         = "list(string)"
  form_type    = "tag-select"
  default      = jsonencode([])
  mutable      = true
  order        = 5
}

data "coder_parameter" "jetbrains_allow_updates" {
  name         = "jetbrains_allow_updates"
  display_name = "JetBrains updates"
  description  = "Whether Toolbox may update the IDE backends. They are shared by all your workspaces."
  icon         = "/icon/jetbrains-toolbox.svg"
  type         = "bool"
  form_type    = "switch"
  default      = false
  mutable      = true
  order        = 6
}

data "coder_parameter" "memory" {
  name         = "memory"
  display_name = "Memory"
  description  = "Limit in GiB; 0: none."
  icon         = "/icon/memory.svg"
  type         = "number"
  form_type    = "slider"
  default      = 0
  mutable      = true
  order        = 8

  validation {
    min   = 0
    max   = var.max_memory
    error = "Give a number of GiB from {min} to {max}; 0 means no limit."
  }
}

data "coder_parameter" "cpus" {
  name         = "cpus"
  display_name = "CPUs"
  description  = "Limit in cores; 0: none."
  icon         = "/icon/memory.svg"
  type         = "number"
  form_type    = "slider"
  default      = 0
  mutable      = true
  order        = 9

  validation {
    min   = 0
    max   = var.max_cpus
    error = "Give a number of cores from {min} to {max}; 0 means no limit."
  }
}

# The names are the module's own, which would ask for these two itself, and take any text for the branch.
data "coder_parameter" "dotfiles_uri" {
  name         = "dotfiles_uri"
  display_name = "Dotfiles"
  description  = "A [dotfiles repository](https://dotfiles.github.io) that `coder dotfiles` applies at every start. Empty: none."
  icon         = "/icon/dotfiles.svg"
  type         = "string"
  form_type    = "input"
  default      = ""
  mutable      = true
  order        = 10

  validation {
    regex = "^$|^(https?://|ssh://|git@|git://)[a-zA-Z0-9._/:@~-]+$"
    error = "Give a URL as git clone takes it, e.g. https://github.com/you/dotfiles.git, of letters, digits and . _ ~ @ - / : only. Or nothing."
  }
}

data "coder_parameter" "dotfiles_branch" {
  name         = "dotfiles_branch"
  display_name = "Dotfiles branch"
  description  = "Empty: the repository's default branch."
  icon         = "/icon/dotfiles.svg"
  type         = "string"
  form_type    = "input"
  default      = ""
  mutable      = true
  order        = 11

  validation {
    regex = "^$|^[A-Za-z0-9_][A-Za-z0-9._/+-]*$"
    error = "Give the name of a branch, of letters, digits and . _ / + - only. Or nothing."
  }
}

data "coder_workspace_preset" "base" {
  name        = "Anything with Docker"
  description = "The base image, without limits."
  icon        = "/icon/debian.svg"
  default     = true
  parameters  = { workspace_image = "base", memory = "0", cpus = "0" }
}

data "coder_workspace_preset" "node" {
  name        = "Node"
  description = "The Node image, 8 GiB."
  icon        = "/icon/nodejs.svg"
  parameters  = { workspace_image = "node", memory = tostring(min(8, var.max_memory)), cpus = "0" }
}

data "coder_workspace_preset" "cpp" {
  name        = "C++"
  description = "The C++ image, 16 GiB."
  icon        = "/icon/cpp.svg"
  parameters  = { workspace_image = "cpp", memory = tostring(min(16, var.max_memory)), cpus = "0" }
}

locals {
  home     = "/home/coder"
  projects = "${local.home}/projects"

  # As git names a clone, but for what github.com and gitlab.com show of a branch, which the module takes, too.
  # Left to the module, you.github.io would be youhub.io, and git@host:project would be that whole text.
  repo_root = replace(data.coder_parameter.repo_url.value, "/^(https://github[.]com/.+?)/tree/.*|^(https://gitlab[.]com/.+?)/-/tree/.*/", "$1$2")
  repo_name = try(regex("([^/:]+?)(?:[.]git)?/?$", local.repo_root)[0], "")

  # What the user named, else what was cloned, else where projects live.
  directory = coalesce(data.coder_parameter.directory.value, try(module.git-clone[0].repo_dir, ""), local.projects)

  # As Docker sees it: what comes before the first slash is a registry if it has a dot or a port.
  in_registry = can(regex("^(localhost|[^/]*[.:][^/]*)/", var.image_repository))
  image       = "${var.image_repository}:${data.coder_parameter.workspace_image.value}"
  named       = lookup(var.image_digests, data.coder_parameter.workspace_image.value, "")
  digest      = local.named != "" ? local.named : try(data.docker_registry_image.workspace[0].sha256_digest, "")

  # A port is [address:][host:]workspace[/protocol].
  port_pattern = "^(?:([0-9]+(?:[.][0-9]+){3}|\\[[0-9A-Fa-f:.]+\\]):)?(?:([0-9]{1,5}):)?([0-9]{1,5})(?:/(tcp|udp))?$"
  port_texts   = jsondecode(data.coder_parameter.additional_ports.value)
  ports = [
    for port in [for text in local.port_texts : { text = text, parts = regex(local.port_pattern, text) } if can(regex(local.port_pattern, text))] : {
      text = port.text
      # In one way of writing; nothing if it is no address.
      ip       = try(cidrhost(port.parts[0] == null ? "127.0.0.1/32" : startswith(port.parts[0], "[") ? "${trim(port.parts[0], "[]")}/128" : "${port.parts[0]}/32", 0), "")
      external = tonumber(coalesce(port.parts[1], port.parts[2]))
      internal = tonumber(port.parts[2])
      protocol = coalesce(port.parts[3], "tcp")
    }
  ]
  bad_ports = concat(
    [for text in local.port_texts : text if !can(regex(local.port_pattern, text))],
    [for port in local.ports : port.text if port.ip == "" || min(port.external, port.internal) < 1 || max(port.external, port.internal) > 65535],
  )
  # One port of the host may be taken once on each address, and once where it is taken on all of a family.
  port_owners  = { for port in local.ports : "${port.external}/${port.protocol}${strcontains(port.ip, ":") ? " of IPv6" : ""}" => port.ip... }
  double_ports = [for port, ips in local.port_owners : port if length(ips) > length(anytrue([for ip in ips : contains(["0.0.0.0", "::"], ip)]) ? toset(["all"]) : toset(ips))]

  # The rules of home-persist that can be told from the text alone; coder_ws_runtime/persist/manifest/paths.py has them all.
  paths = jsondecode(data.coder_parameter.home_persist_paths.value)
  bad_paths = [
    for path in local.paths : path
    if can(regex("[[:cntrl:]]|(^|/)[.][.](/|$)|(^|/) +(/|$)|^([.]?/)*[.]?$|^([.]?/)*[.](home-persist|workspaces|jetbrains-dist)(/|$)|[.]home-persist(-copy|-swap)?(/|$)|^[/~]|^([$]HOME|[$][{]HOME[}])$",
    replace(path, "/^(~|[$]HOME|[$][{]HOME[}]|${local.home})//", "")))
  ]

  # A Coder on this host calls itself localhost, which in the container is the container.
  loopback    = "/(://)(localhost|127[.]0[.]0[.]1|\\[::1\\])([:/\"'[:space:]]|$)/"
  on_host     = "$${1}host.docker.internal$${3}"
  access_url  = replace(data.coder_workspace.me.access_url, local.loopback, local.on_host)
  init_script = replace(coder_agent.main.init_script, local.loopback, local.on_host)

  volumes = {
    "/mnt/home-persist" = replace(replace(var.home_volume, "{owner_id}", data.coder_workspace_owner.me.id), "{owner}", data.coder_workspace_owner.me.name)
    "/mnt/shared"       = var.shared_volume
    (local.projects)    = "coder-${data.coder_workspace.me.id}-projects"
  }

  # The model of this document is coder_ws_runtime/settings.py.
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

# The agent and its apps --------------------------------------------------------------------------------

resource "coder_agent" "main" {
  os   = "linux"
  arch = coalesce(var.arch, data.coder_provisioner.me.arch)

  # Keys and passwords stay with Coder: git asks `coder gitssh`, and nothing secret is written to disk.
  env = data.coder_workspace_owner.me.email == "" ? {} : {
    GIT_AUTHOR_NAME     = coalesce(data.coder_workspace_owner.me.full_name, data.coder_workspace_owner.me.name)
    GIT_AUTHOR_EMAIL    = data.coder_workspace_owner.me.email
    GIT_COMMITTER_NAME  = coalesce(data.coder_workspace_owner.me.full_name, data.coder_workspace_owner.me.name)
    GIT_COMMITTER_EMAIL = data.coder_workspace_owner.me.email
  }

  display_apps {
    vscode                 = false # the module below opens the right directory
    vscode_insiders        = false
    web_terminal           = true
    ssh_helper             = true
    port_forwarding_helper = true
  }

  metadata {
    key          = "doctor"
    display_name = "Doctor"
    script       = "ws-doctor --metadata"
    interval     = 60
    timeout      = 20
    order        = 1
  }
  metadata {
    key          = "cpu"
    display_name = "CPU"
    script       = "coder stat cpu"
    interval     = 15
    timeout      = 5
    order        = 2
  }
  metadata {
    key          = "memory"
    display_name = "Memory"
    script       = "coder stat mem"
    interval     = 15
    timeout      = 5
    order        = 3
  }
  metadata {
    key          = "home"
    display_name = "Home volume"
    script       = "coder stat disk --path /mnt/home-persist"
    interval     = 300
    timeout      = 5
    order        = 4
  }
  metadata {
    key          = "host"
    display_name = "Load of the host"
    script       = "cut -d ' ' -f 1-3 /proc/loadavg"
    interval     = 60
    timeout      = 5
    order        = 5
  }

  resources_monitoring {
    memory {
      enabled   = true
      threshold = 90
    }
    volume {
      enabled   = true
      path      = "/mnt/home-persist"
      threshold = 90
    }
    volume {
      enabled   = true
      path      = local.projects
      threshold = 90
    }
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

module "git-clone" {
  source      = "registry.coder.com/coder/git-clone/coder"
  version     = "~> 2.0"
  count       = data.coder_workspace.me.start_count
  agent_id    = coder_agent.main.id
  url         = data.coder_parameter.repo_url.value
  base_dir    = local.projects
  folder_name = local.repo_name
}

module "dotfiles" {
  source       = "registry.coder.com/coder/dotfiles/coder"
  version      = "~> 1.4.2"
  count        = data.coder_parameter.dotfiles_uri.value == "" ? 0 : data.coder_workspace.me.start_count
  agent_id     = coder_agent.main.id
  dotfiles_uri = data.coder_parameter.dotfiles_uri.value

  # The module takes no empty branch, and would ask for one where it has null. Its script has the text
  # between quotation marks: two more of them are an empty one.
  dotfiles_branch = coalesce(data.coder_parameter.dotfiles_branch.value, "\"\"")
}

module "code-server" {
  source   = "registry.coder.com/coder/code-server/coder"
  version  = "~> 1.5"
  count    = data.coder_workspace.me.start_count
  agent_id = coder_agent.main.id
  folder   = local.directory
  order    = 1
}

module "vscode-desktop" {
  source   = "registry.coder.com/coder/vscode-desktop/coder"
  version  = "~> 1.2"
  count    = data.coder_workspace.me.start_count
  agent_id = coder_agent.main.id
  folder   = local.directory
  order    = 2
}

# With ide_config it asks JetBrains nothing; without, a start needs an answer, and Terraform 1.12.
module "jetbrains" {
  source                = "registry.coder.com/coder/jetbrains/coder"
  version               = "~> 1.4"
  count                 = data.coder_workspace.me.start_count
  agent_id              = coder_agent.main.id
  folder                = local.directory
  options               = keys(var.jetbrains_builds)
  ide_config            = { for code, build in var.jetbrains_builds : code => { build = build } }
  coder_app_order       = 3
  coder_parameter_order = 7
}

# Its pages name their own paths from the root, so it needs a host name of its own (a wildcard access URL).
resource "coder_app" "web-shell" {
  count        = data.coder_workspace.me.start_count
  agent_id     = coder_agent.main.id
  slug         = "web-shell"
  display_name = "web-shell"
  icon         = "/icon/terminal.svg"
  url          = "http://localhost:4000"
  subdomain    = true
  share        = "owner"
  order        = 4

  healthcheck {
    url       = "http://localhost:4000/api/sessions"
    interval  = 5
    threshold = 6
  }
}

# The container -----------------------------------------------------------------------------------------

data "docker_registry_image" "workspace" {
  count = var.pin_image && local.in_registry && local.named == "" ? 1 : 0
  name  = local.image
}

# The digest is part of the name: another digest is another image, and another container.
resource "docker_image" "workspace" {
  name         = local.digest != "" ? "${local.image}@${local.digest}" : local.image
  keep_locally = true
}

resource "docker_container" "workspace" {
  count = data.coder_workspace.me.start_count

  # Neither name has a dot in it: ada-b's workspace c is not ada's workspace b-c.
  name     = "coder-${data.coder_workspace_owner.me.name}.${lower(data.coder_workspace.me.name)}"
  hostname = lower(data.coder_workspace.me.name)
  image    = docker_image.workspace.image_id

  # systemd as PID 1 needs it, and so does whoever has the host's Docker socket anyway.
  privileged = true
  init       = false # some hosts put a process of their own first
  restart    = "unless-stopped"
  memory     = data.coder_parameter.memory.value > 0 ? data.coder_parameter.memory.value * 1024 : null
  cpus       = data.coder_parameter.cpus.value > 0 ? format("%.1f", data.coder_parameter.cpus.value) : null # as the provider reads it

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

  volumes {
    host_path      = var.docker_socket
    container_path = "/var/run/docker.sock"
  }

  # Docker makes these where they are missing. They are no resources, so that nothing here destroys
  # them: not a stop, not the deletion of a workspace, not a slip in this file. They have no labels,
  # which the provider sets only on Docker 26 and newer; `home-persist gc` goes by the name.
  dynamic "volumes" {
    for_each = local.volumes
    content {
      volume_name    = volumes.value
      container_path = volumes.key
    }
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

  # `home-persist gc` asks Docker for the id: a workspace that has a container is not gone.
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
      error_message = "additional_ports: ${join(", ", [for text in local.bad_ports : jsonencode(text)])} is no port. Write 8080, 8080:80 (host:workspace), 5353/udp, 0.0.0.0:8080:80 or [::]:8080:80, with numbers from 1 to 65535."
    }
    precondition {
      condition     = length(local.double_ports) == 0
      error_message = "additional_ports: the host's port ${join(", ", local.double_ports)} is named twice. Choose another port of the host for one of them, e.g. 8081:80."
    }
    precondition {
      condition     = length(local.bad_paths) == 0
      error_message = "home_persist_paths: ${join(", ", [for path in local.bad_paths : jsonencode(path)])} cannot be kept. Write paths below the home, without '..', e.g. .config/gh/ or .vimrc."
    }
  }
}

resource "coder_metadata" "workspace" {
  count       = data.coder_workspace.me.start_count
  resource_id = docker_container.workspace[0].id
  icon        = "/icon/docker.png"

  item {
    key   = "image"
    value = docker_image.workspace.name
  }
  item {
    key   = "home volume"
    value = local.volumes["/mnt/home-persist"]
  }
  item {
    key   = "projects volume"
    value = local.volumes[local.projects]
  }
}

# The shell version of this template managed volumes. Its workspaces are updated to this one without losing
# them: they are forgotten, not destroyed.
removed {
  from = docker_volume.projects_volume
  lifecycle {
    destroy = false
  }
}
removed {
  from = docker_volume.home_persist
  lifecycle {
    destroy = false
  }
}
removed {
  from = docker_volume.shared
  lifecycle {
    destroy = false
  }
}
removed {
  from = docker_volume.docker_data
  lifecycle {
    destroy = false
  }
}
