# The Coder template of these workspaces: one container, which boots systemd from our image.
# docs/template.md says how to push it and what each variable is for.
#
# No parameter reaches a shell unchecked. The workspace gets its settings as one JSON document. The modules
# from Coder's registry paste text into their scripts; that text has been checked to contain only characters
# without a meaning for a shell.
#
# A section whose title names no engine applies to every engine, so that a template for another one can
# have the same text.

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

# Variables -------------------------------------------------------------------------------------------
#
# Coder keeps the values of the active version's variables for the next push, including defaults. So a
# default here reaches only new templates, and a value that a validation refuses stops a push. A variable
# whose default has to follow the version has an empty value that means "this version's own". Sensitive
# variables have no validation: Terraform below 1.15 prints the value that it refuses. They are checked by
# preconditions.

variable "image_repository" {
  type        = string
  default     = "ghcr.io/sourecode/coder-workspace"
  description = "Where the images come from; the tag is the stack. If it names a registry (ghcr.io/…, docker.io/…), the image is pulled. If not (coder-workspace), the image has to be on the engine's host, and is not pulled."

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._:-]*(/[a-z0-9][a-z0-9._-]*)*$", var.image_repository))
    error_message = "Give a repository without a tag or digest, e.g. ghcr.io/you/coder-workspace."
  }
  # An earlier default, which Coder keeps for existing templates. Anyone can register that name, and images run privileged.
  validation {
    condition     = !startswith(var.image_repository, "ghcr.io/coder-ws-runtime/")
    error_message = "The organisation coder-ws-runtime, an earlier default, does not belong to this project. Push with --variable image_repository=ghcr.io/sourecode/coder-workspace, or name your own repository."
  }
}

variable "pin_image" {
  type        = bool
  default     = true
  description = "Ask the registry for the image's digest at every start. If false, the host's image with that tag is used; it is pulled if it is missing."
}

variable "image_digests" {
  type        = map(string)
  default     = {}
  description = "Digests by tag, e.g. {\"base\": \"sha256:…\"}. For these the registry is not asked, and the image is pulled once."

  validation {
    condition     = alltrue([for digest in values(var.image_digests) : can(regex("^sha256:[0-9a-f]{64}$", digest))])
    error_message = "Give digests as registries do: sha256: and 64 hexadecimal digits."
  }
}

variable "arch" {
  type        = string
  default     = ""
  description = "amd64 or arm64, if the engine's host differs from the provisioner. Empty: the provisioner's."

  validation {
    condition     = contains(["", "amd64", "arm64"], var.arch)
    error_message = "The images are built for amd64 and arm64."
  }
}

variable "max_memory" {
  type        = number
  default     = 64
  description = "The most memory that a user may choose, in GiB."

  validation {
    condition     = var.max_memory >= 1 && floor(var.max_memory) == var.max_memory
    error_message = "Give a whole number of GiB, at least 1."
  }
}

variable "max_cpus" {
  type        = number
  default     = 16
  description = "The most cores that a user may choose. Docker refuses more than the host has: give the number of cores of the smallest host."

  validation {
    condition     = var.max_cpus >= 1 && floor(var.max_cpus) == var.max_cpus
    error_message = "Give a whole number of cores, at least 1."
  }
}

variable "jetbrains_builds" {
  type        = map(string)
  default     = { CL = "", GO = "", IU = "", PS = "", PY = "", RD = "", RM = "", RR = "", WS = "" }
  description = "The JetBrains IDEs on offer: product code and build that Toolbox installs, e.g. {\"IU\": \"261.22158.277\"}. If the build is empty, it is the one in this version of the template."

  validation {
    condition     = length(var.jetbrains_builds) > 0
    error_message = "Name at least one IDE, e.g. {\"IU\": \"261.22158.277\"}."
  }
  validation {
    condition     = alltrue([for build in values(var.jetbrains_builds) : can(regex("^([0-9]+([.][0-9]+)+)?$", build))])
    error_message = "Give builds as JetBrains numbers them, e.g. 261.22158.277, or \"\" for this version's own."
  }
}

variable "external_auth" {
  type        = map(string)
  default     = {}
  description = "Coder's external authentication providers, by ID: \"required\" before a workspace is created, or \"optional\", e.g. {\"github\": \"required\"}. Git uses them for https, including git-clone."

  validation {
    condition     = alltrue([for need in values(var.external_auth) : contains(["required", "optional"], need)])
    error_message = "Give \"required\" or \"optional\" for each ID, e.g. {\"github\": \"required\"}."
  }
}

variable "known_hosts" {
  type        = string
  default     = <<-EOT
    github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl
    gitlab.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf
    bitbucket.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIazEu89wgQZ4bqs3d63QSMzYVa0MuJ2e2gKTKqu+UUO
  EOT
  description = "Host keys that ssh trusts in every workspace, in the format of known_hosts(5). Empty: none."
}

variable "gitignore" {
  type        = list(string)
  default     = [".idea/", ".codex"]
  description = "Patterns that Git ignores in every repository, for users who have no ~/.config/git/ignore of their own. Empty: none."

  validation {
    condition     = alltrue([for pattern in var.gitignore : can(regex("^[^[:cntrl:]]+$", pattern))])
    error_message = "Give one pattern of gitignore(5) per entry, e.g. [\".idea/\"]."
  }
}

variable "language" {
  type        = string
  default     = ""
  description = "LANG of every shell and unit, e.g. de_DE.UTF-8. The image has to have that locale; ours has C.UTF-8. Empty: the image's default."

  validation {
    condition     = can(regex("^[A-Za-z0-9_.@-]*$", var.language))
    error_message = "Give the name of a locale, e.g. de_DE.UTF-8."
  }
}

variable "time_zone" {
  type        = string
  default     = ""
  description = "The time zone that users are offered first, e.g. Europe/Berlin. Empty: UTC."

  validation {
    condition     = can(regex("^([A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*)?$", var.time_zone))
    error_message = "Give a name of the time zone database, e.g. Europe/Berlin."
  }
}

variable "memory_threshold" {
  type        = number
  default     = 90
  description = "Percentage of memory use above which Coder notifies the owner; 0: never."

  validation {
    condition     = var.memory_threshold >= 0 && var.memory_threshold <= 100 && floor(var.memory_threshold) == var.memory_threshold
    error_message = "Give a whole number from 0 to 100."
  }
}

variable "volume_threshold" {
  type        = number
  default     = 90
  description = "Percentage of use of the home's and the projects' volumes above which Coder notifies the owner; 0: never."

  validation {
    condition     = var.volume_threshold >= 0 && var.volume_threshold <= 100 && floor(var.volume_threshold) == var.volume_threshold
    error_message = "Give a whole number from 0 to 100."
  }
}

variable "daily_cost" {
  type        = number
  default     = 0
  description = "The daily cost of a running workspace for its owner's quota; 0: none. Coder's quotas need a licence."

  validation {
    condition     = var.daily_cost >= 0 && floor(var.daily_cost) == var.daily_cost
    error_message = "Give a whole number, at least 0."
  }
}

variable "claude_app" {
  type        = bool
  default     = true
  description = "A button that opens Claude Code in the project."
}

variable "anthropic_api_key" {
  type        = string
  default     = ""
  sensitive   = true
  description = "An API key for Claude Code in every workspace. Users see it."
}

variable "claude_code_oauth_token" {
  type        = string
  default     = ""
  sensitive   = true
  description = "A token of `claude setup-token` for Claude Code in every workspace. Users see it."
}

variable "anthropic_base_url" {
  type        = string
  default     = ""
  description = "The gateway that Claude Code uses instead of Anthropic, e.g. https://llm.example.org."

  validation {
    condition     = can(regex("^(https?://[A-Za-z0-9.:/_~%-]+)?$", var.anthropic_base_url))
    error_message = "Give a URL, e.g. https://llm.example.org, of letters, digits and . : / _ ~ % - only."
  }
}

variable "enable_ai_gateway" {
  type        = bool
  default     = false
  description = "Whether Claude Code uses Coder's AI Gateway, as the workspace's owner."
}

variable "use_bedrock" {
  type        = bool
  default     = false
  description = "Whether Claude Code uses Amazon Bedrock, with the workspace's AWS credentials."
}

variable "use_vertex" {
  type        = bool
  default     = false
  description = "Whether Claude Code uses Google Vertex AI, with the workspace's Google credentials."
}

variable "claude_model" {
  type        = string
  default     = ""
  description = "The model that Claude Code uses; gateways, Bedrock and Vertex have their own names. Empty: its default."
}

# Variables of the engine Docker ---------------------------------------------------------------------

variable "registry_config" {
  type        = string
  default     = ""
  sensitive   = true
  description = "For a private registry: the text of a Docker config.json that holds its credentials."
}

variable "docker_host" {
  type        = string
  default     = ""
  description = "The Docker engine that runs the workspaces, e.g. ssh://coder@build-2. Empty: the provisioner's own."

  validation {
    condition     = var.docker_host == "" || can(regex("^(unix|tcp|ssh)://.", var.docker_host))
    error_message = "Give a URL in the form of DOCKER_HOST, e.g. ssh://coder@build-2 or unix:///run/docker.sock."
  }
}

variable "docker_socket" {
  type        = string
  default     = "/var/run/docker.sock"
  description = "The path of the Docker socket on the engine's host, which workspaces get. The shell version's template had the URL of an engine here, or nothing; both still work."

  validation {
    condition     = can(regex("^$|^/|^[a-z]+://.", var.docker_socket))
    error_message = "Give an absolute path. The engine that runs the workspaces is docker_host."
  }
}

variable "home_volume" {
  type        = string
  default     = "coder-{owner_id}-home"
  description = "Name of the volume that one owner's workspaces share; {owner_id} and {owner} are replaced. A user can be renamed, an ID never changes."

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_.-]*$", replace(var.home_volume, "/[{]owner(_id)?[}]/", "x"))) && can(regex("[{]owner(_id)?[}]", var.home_volume))
    error_message = "Give a name of a Docker volume with {owner_id} or {owner} in it: owners do not share a home."
  }
}

variable "engine_knows_all_workspaces" {
  type        = bool
  default     = false
  description = "Whether every workspace that uses these home volumes runs on this Docker engine. If true, home-persist gc considers a workspace without a container and without a volume deleted after a day; if false, after 90 days."
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

# What Coder says of this build -----------------------------------------------------------------------

data "coder_provisioner" "me" {}
data "coder_workspace" "me" {}
data "coder_workspace_owner" "me" {}

# The agent passes their tokens to git (GIT_ASKPASS). They are not stored in the template.
data "coder_external_auth" "git" {
  for_each = var.external_auth
  id       = each.key
  optional = each.value == "optional"
}

# What a user chooses ---------------------------------------------------------------------------------

# The options are those of images/stacks.toml; a test keeps them equal.
data "coder_parameter" "workspace_image" {
  name         = "workspace_image"
  display_name = "Image"
  description  = "What is installed in addition to Docker, Git and Node."
  icon         = "/icon/container.svg"
  type         = "string"
  form_type    = "radio"
  default      = "base"
  mutable      = true
  order        = 1

  option {
    name        = "Base"
    description = "Docker, Git, Node with nvm, Claude Code."
    value       = "base"
    icon        = "/icon/debian.svg"
  }
  option {
    name        = "Node"
    description = "The same as base, under a name that Node projects expect."
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
  description  = "Cloned into the projects directory if it is not there yet: a URL for `git clone`, or the URL of the page in your browser. Empty: none."
  icon         = "/icon/git.svg"
  type         = "string"
  form_type    = "input"
  default      = ""
  mutable      = true
  order        = 2
  styling      = jsonencode({ placeholder = "https://github.com/you/project.git" })

  # A component may begin with a dot, but is not . or .. . A query and a fragment, which browsers add, are dropped.
  validation {
    regex = "^$|^((https?|ssh|git)://([A-Za-z0-9][A-Za-z0-9._~%+:-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?|[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[A-Za-z0-9._~%+@-]*[A-Za-z0-9_~%+@-])(/[.]?[A-Za-z0-9_~%+@-][A-Za-z0-9._~%+@-]*)*/?([?#][A-Za-z0-9._~%+@:/?#=&-]*)?$"
    error = "Give a URL as git clone takes it, or as a browser shows the repository, e.g. https://github.com/you/project.git or git@github.com:you/project.git, of letters, digits and . _ ~ % + @ - / : only. Or nothing."
  }
}

data "coder_parameter" "directory" {
  name         = "directory"
  display_name = "Directory"
  description  = "The directory that editors, web-shell and Claude open: an absolute path. Empty: the cloned repository, or else the projects directory. Coder's own terminal and SSH start in your home."
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
  description  = "Ports of the host that lead into the workspace: `8080`, `8080:80` (host:workspace), `5353/udp`. They listen on 127.0.0.1 unless you give an address: `0.0.0.0:8080:80`, `[::]:8080:80`."
  icon         = "/icon/widgets.svg"
  type         = "list(string)"
  form_type    = "tag-select"
  default      = jsonencode([])
  mutable      = true
  order        = 4
}

data "coder_parameter" "home_persist_paths" {
  name         = "home_persist_paths"
  display_name = "Kept paths"
  description  = "Paths below the home to keep on your volume, in addition to those that the image declares. A trailing / means a directory: `.config/gh/`, `.vimrc`."
  icon         = "/icon/database.svg"
  type         = "list(string)"
  form_type    = "tag-select"
  default      = jsonencode([])
  mutable      = true
  order        = 5
}

# Each option is a module below, except JetBrains', which asks for the IDEs.
data "coder_parameter" "editors" {
  name         = "editors"
  display_name = "Editors"
  description  = "The editors that get a button. All except code-server run on your own computer."
  icon         = "/icon/code.svg"
  type         = "list(string)"
  form_type    = "multi-select"
  default      = jsonencode(["code-server", "vscode", "jetbrains"])
  mutable      = true
  order        = 6

  option {
    name  = "code-server"
    value = "code-server"
    icon  = "/icon/code.svg"
  }
  option {
    name  = "VS Code"
    value = "vscode"
    icon  = "/icon/code.svg"
  }
  option {
    name  = "VS Code Insiders"
    value = "vscode-insiders"
    icon  = "/icon/code.svg"
  }
  option {
    name  = "Cursor"
    value = "cursor"
    icon  = "/icon/cursor.svg"
  }
  option {
    name  = "Windsurf"
    value = "windsurf"
    icon  = "/icon/windsurf.svg"
  }
  option {
    name  = "Zed"
    value = "zed"
    icon  = "/icon/zed.svg"
  }
  option {
    name  = "JetBrains IDEs"
    value = "jetbrains"
    icon  = "/icon/jetbrains-toolbox.svg"
  }
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
  order        = 8
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
  order        = 9

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
  order        = 10

  validation {
    min   = 0
    max   = var.max_cpus
    error = "Give a number of cores from {min} to {max}; 0 means no limit."
  }
}

# The module has the same names. It would ask for these two itself, and accept any text for the branch.
data "coder_parameter" "dotfiles_uri" {
  name         = "dotfiles_uri"
  display_name = "Dotfiles"
  description  = "A [dotfiles repository](https://dotfiles.github.io) that `coder dotfiles` applies at every start. Empty: none."
  icon         = "/icon/dotfiles.svg"
  type         = "string"
  form_type    = "input"
  default      = ""
  mutable      = true
  order        = 11

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
  order        = 12

  validation {
    regex = "^$|^[A-Za-z0-9_][A-Za-z0-9._/+-]*$"
    error = "Give the name of a branch, of letters, digits and . _ / + - only. Or nothing."
  }
}

data "coder_parameter" "commit_signing" {
  name         = "commit_signing"
  display_name = "Sign commits"
  description  = "Sign commits with the SSH key that Coder has for you. Register its public key as a *signing key* at your Git host: `coder publickey` prints it."
  icon         = "/icon/git.svg"
  type         = "bool"
  form_type    = "switch"
  default      = false
  mutable      = true
  order        = 13
}

data "coder_parameter" "time_zone" {
  name         = "time_zone"
  display_name = "Time zone"
  description  = "The time zone of every shell and unit, e.g. Europe/Berlin. Empty: UTC."
  icon         = "/icon/widgets.svg"
  type         = "string"
  form_type    = "input"
  default      = var.time_zone
  mutable      = true
  order        = 14

  validation {
    regex = "^([A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*)?$"
    error = "Give a name of the time zone database, e.g. Europe/Berlin. Or nothing."
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

# What follows from it --------------------------------------------------------------------------------

locals {
  home     = "/home/coder"
  projects = "${local.home}/projects"

  # The repository's address, from what a user pasted: it may be the page of a branch or of a pull request.
  # The module would name the clone of you.github.io "youhub.io", and that of a pull request "1".
  repo_page   = replace(replace(data.coder_parameter.repo_url.value, "/[?#].*/", ""), "/^https?://(?:www[.])?(github[.]com|gitlab[.]com|bitbucket[.]org|codeberg[.]org)//", "https://$1/")
  repo_forge  = replace(local.repo_page, "/^(https://(?:github[.]com|bitbucket[.]org|codeberg[.]org)/[^/]+/[^/]+)/.*/", "$1")
  repo_gitlab = replace(local.repo_forge, "/^(https?://.+?)/-/.*/", "$1")
  repo_url    = replace(local.repo_gitlab, "/^(https?://.+?)/(?:(?:pulls?|issues|pull-requests|merge_requests)/[0-9]+|commit/[0-9a-f]{7,40})(?:/.*)?$/", "$1")
  repo_branch = trimsuffix(try(compact(regex("^https://github[.]com/[^/]+/[^/]+/tree/(.+)|^https://codeberg[.]org/[^/]+/[^/]+/src/branch/(.+)|^https?://.+?/-/tree/(.+)", local.repo_page))[0], ""), "/")
  repo_name   = try(regex("([^/:]+?)(?:[.]git)?/?$", local.repo_url)[0], "")

  # The directory of the user's choice, else the clone, else the projects directory.
  directory = coalesce(data.coder_parameter.directory.value, try(module.git-clone[0].repo_dir, ""), local.projects)

  editors = try([for editor in jsondecode(data.coder_parameter.editors.value) : editor], [])

  # For an owner without a name or an email address, the provider returns "default" and default@example.com. The login
  # is used as the name. No address is invented, because commits keep it: Git takes the one from the user's
  # configuration, or asks for it. Git refuses a name without a letter or a digit.
  full_name = trimspace(data.coder_workspace_owner.me.full_name)
  git_name  = local.full_name != "default" && can(regex("\\pL|\\pN", local.full_name)) ? local.full_name : data.coder_workspace_owner.me.name
  git_email = data.coder_workspace_owner.me.email == "default@example.com" ? "" : data.coder_workspace_owner.me.email

  # The rules of home-persist that need only the text; coder_ws_runtime/persist/manifest/ has all rules. A name has
  # at most 236 bytes there: 315 characters in base64. A list may be null, and contain null.
  path_prefix = "/^(~|[$]HOME|[$][{]HOME[}]|${local.home})//"
  paths       = try([for path in jsondecode(data.coder_parameter.home_persist_paths.value) : path], [null])
  bad_paths = [
    for path in local.paths : path
    if path == null || can(regex("[[:cntrl:]]|(^|/)[.][.](/|$)|(^|/) +(/|$)|^([.]?/)*[.]?$|^([.]?/)*[.](home-persist|workspaces|jetbrains-dist)(/|$)|[.]home-persist(-copy|-swap)?(/|$)|^[/~]|^([$]HOME|[$][{]HOME[}])$",
    replace(coalesce(path, " "), local.path_prefix, "")))
    || anytrue([for name in split("/", coalesce(path, " ")) : length(trim(base64encode(name), "=")) > 315])
  ]
  # Each is either a file or a directory, and nothing is below a file.
  kept_paths = [
    for path in local.paths : {
      text      = path
      place     = join("/", [for name in split("/", replace(path, local.path_prefix, "")) : name if !contains(["", "."], name)])
      directory = endswith(path, "/")
    } if path == null ? false : !contains(local.bad_paths, path)
  ]
  unclear_paths = [
    for path in local.kept_paths : path.text
    if anytrue([for file in local.kept_paths : !file.directory && (path.place == file.place ? path.directory : startswith(path.place, "${file.place}/"))])
  ]

  # Coder on this host calls itself localhost, which means the container itself inside a container. All of these mean
  # "this host": *.localhost (RFC 6761), 127.0.0.0/8, the unspecified address and IPv6's.
  loopback    = "/(?i)(://)((?:[a-z0-9_-]+[.])*localhost(?:[.]localdomain)?[.]?|0|0[.]0[.]0[.]0|127(?:[.][0-9]{1,3}){1,3}|\\[[0:]*:[0]*1?\\]|\\[[0:]*:ffff:127[.][0-9.]+\\])([:/\"'?#[:space:]]|$)/"
  on_host     = "$${1}host.docker.internal$${3}"
  access_url  = replace(data.coder_workspace.me.access_url, local.loopback, local.on_host)
  init_script = replace(coder_agent.main.init_script, local.loopback, local.on_host)

  # How Claude Code authenticates; without any of it, users log in.
  claude_key   = nonsensitive(var.anthropic_api_key != "")
  claude_token = nonsensitive(var.claude_code_oauth_token != "")
  claude_setup = local.claude_key || local.claude_token || var.anthropic_base_url != "" || var.enable_ai_gateway || var.use_bedrock || var.use_vertex || var.claude_model != ""

  # For the container and the agent. The image passes these on to units and to programs that sudo runs.
  environment = merge(
    { CODER_WORKSPACE_ID = data.coder_workspace.me.id },
    var.language == "" ? {} : { LANG = var.language },
    data.coder_parameter.time_zone.value == "" ? {} : { TZ = data.coder_parameter.time_zone.value },
  )

  # The model of this document is coder_ws_runtime/settings.py.
  settings = {
    version = 1
    workspace = {
      id         = data.coder_workspace.me.id
      name       = data.coder_workspace.me.name
      owner      = data.coder_workspace_owner.me.name
      access_url = local.access_url
    }
    engine_knows_all_workspaces = var.engine_knows_all_workspaces

    home_persist_paths = local.paths
    projects           = local.projects
    jetbrains          = { allow_updates = tobool(data.coder_parameter.jetbrains_allow_updates.value) }
    web_shell          = { directory = local.directory, title = data.coder_workspace.me.name }
  }

  # Errors that stop a start with any engine. Each is one line: where, what is wrong, and what to write.
  refusals = compact([
    length(local.bad_paths) == 0 ? "" : "home_persist_paths: ${join(", ", [for path in local.bad_paths : jsonencode(path)])} cannot be kept. Write paths below the home, without '..', e.g. .config/gh/ or .vimrc, with names of at most 236 bytes.",
    length(local.unclear_paths) == 0 ? "" : "home_persist_paths: ${join(", ", [for path in local.unclear_paths : jsonencode(path)])} is both a directory and a file. Write it once: with a / at the end for a directory, without it for a file.",
    contains(["amd64", "arm64"], local.arch) ? "" : "The images are built for amd64 and arm64, but this provisioner is ${local.arch}. Push with --variable arch=amd64 or arch=arm64, whichever the engine's host is.",
    local.claude_key && local.claude_token ? "Give anthropic_api_key or claude_code_oauth_token, not both." : "",
    var.enable_ai_gateway && (local.claude_key || local.claude_token || var.anthropic_base_url != "") ? "enable_ai_gateway logs Claude Code in by itself: leave out anthropic_api_key, claude_code_oauth_token and anthropic_base_url." : "",
    length([for on in [var.enable_ai_gateway, var.use_bedrock, var.use_vertex] : on if on]) > 1 ? "Claude Code uses one provider: choose one of enable_ai_gateway, use_bedrock and use_vertex." : "",
  ])
}

# The agent -------------------------------------------------------------------------------------------

locals {
  arch = coalesce(var.arch, data.coder_provisioner.me.arch)
}

resource "coder_agent" "main" {
  os   = "linux"
  arch = local.arch

  # Keys and passwords stay with Coder: git asks `coder gitssh`, and nothing secret is written to disk.
  env = merge(
    local.environment,
    { GIT_AUTHOR_NAME = local.git_name, GIT_COMMITTER_NAME = local.git_name },
    local.git_email == "" ? {} : { GIT_AUTHOR_EMAIL = local.git_email, GIT_COMMITTER_EMAIL = local.git_email },
  )

  display_apps {
    vscode                 = false # the modules below open the right directory
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
  metadata {
    key          = "host_cpu"
    display_name = "CPU of the host"
    script       = "coder stat cpu --host"
    interval     = 60
    timeout      = 5
    order        = 6
  }
  metadata {
    key          = "host_memory"
    display_name = "Memory of the host"
    script       = "coder stat mem --host"
    interval     = 60
    timeout      = 5
    order        = 7
  }
  metadata {
    key          = "host_swap"
    display_name = "Swap of the host"
    script       = "awk '/^Swap(Total|Free):/ {kib[$1] = $2} END {printf \"%.1f/%.1f GiB\\n\", (kib[\"SwapTotal:\"] - kib[\"SwapFree:\"]) / 1048576, kib[\"SwapTotal:\"] / 1048576}' /proc/meminfo"
    interval     = 60
    timeout      = 5
    order        = 8
  }
  metadata {
    key          = "host_disk"
    display_name = "Disk of the host" # what the container's own file system is on
    script       = "coder stat disk --path /"
    interval     = 300
    timeout      = 5
    order        = 9
  }

  resources_monitoring {
    dynamic "memory" {
      for_each = var.memory_threshold > 0 ? [var.memory_threshold] : []
      content {
        enabled   = true
        threshold = memory.value
      }
    }
    dynamic "volume" {
      for_each = var.volume_threshold > 0 ? ["/mnt/home-persist", local.projects] : []
      content {
        enabled   = true
        path      = volume.value
        threshold = var.volume_threshold
      }
    }
  }
}

# One script, because the order matters. systemd runs the same commands at boot; here users see
# their output. One that fails does not stop the next.
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

    known_hosts='${base64encode(var.known_hosts)}'
    if [ -n "$known_hosts" ]; then
      echo "$known_hosts" | base64 -d | sudo tee /etc/ssh/ssh_known_hosts > /dev/null || status=$?
    fi
    # Git reads this file if no other is configured. A user's own file stays.
    gitignore='${base64encode(join("\n", concat(var.gitignore, [""])))}'
    if [ -n "$gitignore" ] && ! [ -e ~/.config/git/ignore ]; then
      mkdir -p ~/.config/git && echo "$gitignore" | base64 -d > ~/.config/git/ignore || status=$?
    fi
    exit "$status"
  EOT
}

# Not Coder's module of that name: it writes the key to the home and its settings to ~/.gitconfig, which the
# owner's other workspaces may share (docs/decisions/commit-signing.md). The key is kept in memory.
resource "coder_script" "git-commit-signing" {
  count        = data.coder_parameter.commit_signing.value == "true" ? data.coder_workspace.me.start_count : 0
  agent_id     = coder_agent.main.id
  display_name = "Git commit signing"
  icon         = "/icon/git.svg"
  run_on_start = true
  timeout      = 120
  script       = <<-EOT
    #!/bin/sh
    set -eu
    umask 077
    keys=/run/git-commit-signing
    sudo install -d -m 0700 -o "$(id -u)" -g "$(id -g)" "$keys"
    answer=$(printf 'Coder-Session-Token: %s\n' "$CODER_AGENT_TOKEN" |
      curl -fsS --retry 5 --retry-connrefused -H @- "$${CODER_AGENT_URL%/}/api/v2/workspaceagents/me/gitsshkey")
    part() {
      printf %s "$answer" | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]].strip())' "$1"
    }
    part private_key > "$keys/key"
    part public_key > "$keys/key.pub"
    printf '%s %s\n' "$${GIT_COMMITTER_EMAIL:-*}" "$(cat "$keys/key.pub")" > "$keys/allowed_signers"
    # Everyone can read that file.
    umask 022
    set_up() { sudo git config --system "$1" "$2"; }
    set_up gpg.format ssh
    set_up user.signingKey "$keys/key"
    set_up gpg.ssh.allowedSignersFile "$keys/allowed_signers"
    set_up commit.gpgSign true
    set_up tag.gpgSign true
    echo "Commits and tags are signed with $(ssh-keygen -l -f "$keys/key.pub")"
  EOT
}

# Projects and dotfiles -------------------------------------------------------------------------------

module "git-clone" {
  source      = "registry.coder.com/coder/git-clone/coder"
  version     = "~> 2.0"
  count       = data.coder_workspace.me.start_count
  agent_id    = coder_agent.main.id
  url         = local.repo_url
  branch_name = local.repo_branch
  base_dir    = local.projects
  folder_name = local.repo_name
  depends_on  = [data.coder_external_auth.git]
}

module "dotfiles" {
  source       = "registry.coder.com/coder/dotfiles/coder"
  version      = "~> 1.4.2"
  count        = data.coder_parameter.dotfiles_uri.value == "" ? 0 : data.coder_workspace.me.start_count
  agent_id     = coder_agent.main.id
  dotfiles_uri = data.coder_parameter.dotfiles_uri.value

  # The module does not accept an empty branch, and would ask for one if it were null. Its script has the text
  # between quotation marks: two more of them make an empty string.
  dotfiles_branch = coalesce(data.coder_parameter.dotfiles_branch.value, "\"\"")
}

# Editors ---------------------------------------------------------------------------------------------

module "code-server" {
  source   = "registry.coder.com/coder/code-server/coder"
  version  = "~> 1.5"
  count    = contains(local.editors, "code-server") ? data.coder_workspace.me.start_count : 0
  agent_id = coder_agent.main.id
  folder   = local.directory
  order    = 1
}

module "vscode-desktop" {
  source   = "registry.coder.com/coder/vscode-desktop/coder"
  version  = "~> 1.2"
  count    = contains(local.editors, "vscode") ? data.coder_workspace.me.start_count : 0
  agent_id = coder_agent.main.id
  folder   = local.directory
  order    = 2
}

# The module on which vscode-desktop, cursor and windsurf are based; this editor has no module of its own.
module "vscode-insiders" {
  source                 = "registry.coder.com/coder/vscode-desktop-core/coder"
  version                = "~> 1.0.2"
  count                  = contains(local.editors, "vscode-insiders") ? data.coder_workspace.me.start_count : 0
  agent_id               = coder_agent.main.id
  folder                 = local.directory
  protocol               = "vscode-insiders"
  coder_app_slug         = "vscode-insiders"
  coder_app_display_name = "VS Code Insiders"
  coder_app_icon         = "/icon/code.svg"
  coder_app_order        = 3
}

module "cursor" {
  source   = "registry.coder.com/coder/cursor/coder"
  version  = "~> 1.4"
  count    = contains(local.editors, "cursor") ? data.coder_workspace.me.start_count : 0
  agent_id = coder_agent.main.id
  folder   = local.directory
  order    = 4
}

module "windsurf" {
  source   = "registry.coder.com/coder/windsurf/coder"
  version  = "~> 1.3"
  count    = contains(local.editors, "windsurf") ? data.coder_workspace.me.start_count : 0
  agent_id = coder_agent.main.id
  folder   = local.directory
  order    = 5
}

module "zed" {
  source   = "registry.coder.com/coder/zed/coder"
  version  = "~> 1.1"
  count    = contains(local.editors, "zed") ? data.coder_workspace.me.start_count : 0
  agent_id = coder_agent.main.id
  folder   = local.directory
  order    = 6
}

locals {
  # Newer ones: https://data.services.jetbrains.com/products/releases?code=IU&type=release&latest=true
  own_jetbrains_builds = {
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
}

# With ide_config, it does not contact JetBrains; without it, a start would need their answer, and Terraform 1.12.
module "jetbrains" {
  source                = "registry.coder.com/coder/jetbrains/coder"
  version               = "~> 1.4"
  count                 = contains(local.editors, "jetbrains") ? data.coder_workspace.me.start_count : 0
  agent_id              = coder_agent.main.id
  folder                = local.directory
  options               = keys(var.jetbrains_builds)
  ide_config            = { for code, build in var.jetbrains_builds : code => { build = build != "" ? build : lookup(local.own_jetbrains_builds, code, "") } }
  coder_app_order       = 7
  coder_parameter_order = 7
}

# Terminals and Claude --------------------------------------------------------------------------------

# It opens in the home if the directory is missing, because a clone failed.
resource "coder_app" "claude" {
  count        = var.claude_app ? data.coder_workspace.me.start_count : 0
  agent_id     = coder_agent.main.id
  slug         = "claude"
  display_name = "Claude Code"
  icon         = "/icon/claude.svg"
  command      = "cd '${local.directory}' || cd; exec claude"
  order        = 8
}

# Only the login: Claude Code itself is in the image. The module refuses a key in addition to the gateway, and
# Terraform below 1.15 would print it: local.refusals has the check instead.
module "claude-code" {
  source                  = "registry.coder.com/coder/claude-code/coder"
  version                 = "~> 5.4"
  count                   = local.claude_setup ? data.coder_workspace.me.start_count : 0
  agent_id                = coder_agent.main.id
  install_claude_code     = false
  claude_binary_path      = "/usr/local/bin"
  disable_autoupdater     = true
  workdir                 = local.directory
  model                   = var.claude_model
  anthropic_api_key       = var.enable_ai_gateway ? "" : var.anthropic_api_key
  claude_code_oauth_token = var.enable_ai_gateway ? "" : var.claude_code_oauth_token
  anthropic_base_url      = var.enable_ai_gateway ? "" : var.anthropic_base_url
  enable_ai_gateway       = var.enable_ai_gateway
  use_bedrock             = var.use_bedrock && !var.enable_ai_gateway
  use_vertex              = var.use_vertex && !var.use_bedrock && !var.enable_ai_gateway
}

# Its pages use absolute paths, so it needs a host name of its own (a wildcard access URL).
resource "coder_app" "web-shell" {
  count        = data.coder_workspace.me.start_count
  agent_id     = coder_agent.main.id
  slug         = "web-shell"
  display_name = "web-shell"
  icon         = "/icon/terminal.svg"
  url          = "http://localhost:4000"
  subdomain    = true
  share        = "owner"
  order        = 9

  healthcheck {
    url       = "http://localhost:4000/api/sessions"
    interval  = 5
    threshold = 6
  }
}

# Engine: Docker ----------------------------------------------------------------------------------
#
# Resources with the start count are not evaluated on stop and deletion. Those need the engine, but neither the
# registry nor its credentials nor the image.

locals {
  # In the shell version, docker_socket was the engine's URL, and Coder keeps its value; the workspaces' socket
  # was this default.
  taken_over = !startswith(var.docker_socket, "/")
  engine     = var.docker_host != "" ? var.docker_host : local.taken_over ? var.docker_socket : ""
  socket     = local.taken_over ? "/var/run/docker.sock" : var.docker_socket

  # Docker's rule: the text before the first slash is a registry if it has a dot or a port. Without a registry,
  # the image has to be on the host: on Docker Hub anyone could own that name, and the image runs privileged.
  in_registry = can(regex("^(localhost|[^/]*[.:][^/]*)/", var.image_repository))
  repository  = replace(var.image_repository, "/^index[.]docker[.]io//", "docker.io/")
  registry    = split("/", local.repository)[0]
  image       = "${local.repository}:${data.coder_parameter.workspace_image.value}"
  named       = lookup(var.image_digests, data.coder_parameter.workspace_image.value, "")
  digest      = local.named != "" ? local.named : try(data.docker_registry_image.workspace[0].sha256_digest, "")

  registry_config_fits = nonsensitive(var.registry_config == "" || try(length(keys(jsondecode(var.registry_config).auths)) >= 0 && alltrue([
    for login in values(jsondecode(var.registry_config).auths) :
    can(regex(":", base64decode(login.auth))) || can(regex(".", login.identitytoken)) || (can(regex(".", login.username)) && can(regex(".", login.password)))
  ]), false))

  # A port is [address:][host:]workspace[/protocol].
  port_pattern = "^(?:([0-9]+(?:[.][0-9]+){3}|\\[[0-9A-Fa-f:.]+\\]):)?(?:([0-9]{1,5}):)?([0-9]{1,5})(?:/(tcp|udp))?$"
  port_texts   = try([for text in jsondecode(data.coder_parameter.additional_ports.value) : text], [null])
  ports = [
    for port in [for text in local.port_texts : { text = text, parts = regex(local.port_pattern, text) } if can(regex(local.port_pattern, text))] : {
      text = port.text
      # Normalised; empty if it is not an address.
      ip       = try(cidrhost(port.parts[0] == null ? "127.0.0.1/32" : startswith(port.parts[0], "[") ? "${trim(port.parts[0], "[]")}/128" : "${port.parts[0]}/32", 0), "")
      external = tonumber(coalesce(port.parts[1], port.parts[2]))
      internal = tonumber(port.parts[2])
      protocol = coalesce(port.parts[3], "tcp")
      # The two ports differ, and no address shows that the text was written for this template.
      unaddressed = port.parts[0] == null && tonumber(coalesce(port.parts[1], port.parts[2])) != tonumber(port.parts[2])
    }
  ]
  bad_ports = concat(
    [for text in local.port_texts : text if !can(regex(local.port_pattern, text))],
    [for port in local.ports : port.text if port.ip == "" || min(port.external, port.internal) < 1 || max(port.external, port.internal) > 65535],
    # No host listens on these: 0.0.0.0/8 except the address itself, multicast, reserved, and IPv6 link-local addresses.
    [for port in local.ports : port.text if can(regex("^0[.]0*[.]?.*[1-9]|^(22[4-9]|2[3-5][0-9])[.]|^(?i:ff|fe[89ab])[0-9a-f]{0,2}:", port.ip))],
  )
  # A port of the host can be used once on each address, or once on all addresses of a family.
  port_owners  = { for port in local.ports : "${port.external}/${port.protocol}${strcontains(port.ip, ":") ? " of IPv6" : ""}" => port.ip... }
  double_ports = [for port, ips in local.port_owners : port if length(ips) > length(anytrue([for ip in ips : contains(["0.0.0.0", "::"], ip)]) ? toset(["all"]) : toset(ips))]
  # The shell version wrote workspace:host.
  turned_ports = local.taken_over ? [for port in local.ports : port if port.unaddressed] : []
  # Coder itself, if its URL says that it is on this host.
  coder_ports = [
    for port in local.ports : port.text
    if local.access_url != data.coder_workspace.me.access_url && !can(regex("^(ssh|tcp)://", local.engine))
    && port.external == data.coder_workspace.me.access_port && port.protocol == "tcp" && can(regex("^(127[.]|0[.]0[.]0[.]0$|::1?$)", port.ip))
  ]
  # Other workspaces, whose labels say which ports they use.
  taken_ports = flatten([
    for container in try(data.docker_containers.engine[0].containers, []) : [
      for port in local.ports : "${port.external}/${port.protocol} (${lookup(container.labels, "coder.owner", "")}'s workspace ${lookup(container.labels, "coder.workspace_name", "")})"
      if anytrue([
        for ip in [port.ip, "0.0.0.0", "::"] : contains(split(" ", lookup(container.labels, "coder.ports", "")), "${ip}|${port.external}/${port.protocol}")
        if strcontains(ip, ":") == strcontains(port.ip, ":")
      ]) || (contains(["0.0.0.0", "::"], port.ip) && anytrue([for label in split(" ", lookup(container.labels, "coder.ports", "")) : endswith(label, "|${port.external}/${port.protocol}") && strcontains(label, ":") == strcontains(port.ip, ":")]))
    ] if container.state == "running" && lookup(container.labels, "coder.workspace_id", "") != data.coder_workspace.me.id
  ])

  volumes = {
    "/mnt/home-persist" = replace(replace(var.home_volume, "{owner_id}", data.coder_workspace_owner.me.id), "{owner}", data.coder_workspace_owner.me.name)
    "/mnt/shared"       = var.shared_volume
    (local.projects)    = "coder-${data.coder_workspace.me.id}-projects"
  }

  engine_refusals = compact([
    local.registry_config_fits ? "" : "variable \"registry_config\": Give the text of a Docker config.json: {\"auths\": {\"ghcr.io\": {\"auth\": \"…\"}}}, where auth is user:password in base64.",
    length(local.bad_ports) == 0 ? "" : "additional_ports: ${join(", ", distinct([for text in local.bad_ports : jsonencode(text)]))} is no port. Write 8080, 8080:80 (host:workspace), 5353/udp, 0.0.0.0:8080:80 or [::]:8080:80, with numbers from 1 to 65535 and an address of the host.",
    length(local.double_ports) == 0 ? "" : "additional_ports: the host's port ${join(", ", local.double_ports)} is named twice. Choose another port of the host for one of them, e.g. 8081:80.",
    length(local.turned_ports) == 0 ? "" : "additional_ports: ${join(", ", [for port in local.turned_ports : jsonencode(port.text)])} meant workspace:host in the shell version of this template, and means host:workspace in this one. Write ${join(", ", [for port in local.turned_ports : "0.0.0.0:${port.internal}:${port.external}${port.protocol == "udp" ? "/udp" : ""}"])} for what it was, with 127.0.0.1 if it is for this host alone. Without an address such entries are taken again once the template is pushed with docker_socket=/var/run/docker.sock.",
    length(local.coder_ports) == 0 ? "" : "additional_ports: ${join(", ", [for text in local.coder_ports : jsonencode(text)])} is the port of the host on which Coder listens. Choose another port of the host, e.g. 8081:80.",
    length(local.taken_ports) == 0 ? "" : "additional_ports: the host's port ${join(", ", distinct(local.taken_ports))} is taken. Choose another port of the host, or stop that workspace.",
  ])
}

# A stop needs no credentials, so it works even if they are lost or wrong.
provider "docker" {
  host = local.engine != "" ? local.engine : null

  # Docker Hub has one name for requests of digests, and another for pulls.
  dynamic "registry_auth" {
    for_each = data.coder_workspace.me.start_count > 0 && local.in_registry && local.registry_config_fits && nonsensitive(var.registry_config != "") ? (local.registry == "docker.io" ? ["docker.io", "registry-1.docker.io"] : [local.registry]) : []
    content {
      address             = registry_auth.value
      config_file_content = var.registry_config
    }
  }
}

# The provider uses the right name of Docker Hub if the image names no registry.
data "docker_registry_image" "workspace" {
  count = var.pin_image && local.in_registry && local.named == "" ? data.coder_workspace.me.start_count : 0
  name  = trimprefix(local.image, "docker.io/")
}

# An image without a registry is not pulled: this fails if the engine's host does not have it.
data "docker_image" "local" {
  count = local.in_registry ? 0 : data.coder_workspace.me.start_count
  name  = local.image
}

# The engine's containers, for the ports that other workspaces use.
data "docker_containers" "engine" {
  count = length(local.ports) == 0 ? 0 : data.coder_workspace.me.start_count
}

# The digest is part of the name: a new digest means a new image and a new container.
resource "docker_image" "workspace" {
  count        = data.coder_workspace.me.start_count
  name         = local.digest != "" ? "${local.image}@${local.digest}" : local.image
  keep_locally = true
  depends_on   = [data.docker_image.local]
}

resource "docker_container" "workspace" {
  count = data.coder_workspace.me.start_count

  # Neither name has a dot in it: ada-b's workspace c is not ada's workspace b-c.
  name     = "coder-${data.coder_workspace_owner.me.name}.${lower(data.coder_workspace.me.name)}"
  hostname = lower(data.coder_workspace.me.name)
  image    = docker_image.workspace[0].image_id
  # The agent's architecture. The engine refuses an image for another one.
  platform = "linux/${local.arch}"

  # systemd as PID 1 needs it; with the host's Docker socket mounted, it grants nothing more.
  privileged = true
  init       = false # some hosts put a process of their own first
  restart    = "unless-stopped"
  memory     = data.coder_parameter.memory.value > 0 ? data.coder_parameter.memory.value * 1024 : null
  cpus       = data.coder_parameter.cpus.value > 0 ? format("%.1f", data.coder_parameter.cpus.value) : null # as the provider reads it

  # systemd re-executes itself on SIGTERM. Without destroy_grace_seconds, the provider kills the container.
  stop_signal           = "SIGRTMIN+3"
  stop_timeout          = 30
  destroy_grace_seconds = 30

  # Otherwise systemd would mount its own tmpfs over /run and hide the socket.
  tmpfs = {
    "/run"      = "rw,nosuid,nodev,mode=755"
    "/run/lock" = "rw,nosuid,nodev,noexec"
  }

  env = concat(
    [
      "CODER_AGENT_TOKEN=${coder_agent.main.token}",
      "CODER_AGENT_URL=${local.access_url}",
      "CODER_WORKSPACE_NAME=${data.coder_workspace.me.name}",
    ],
    [for name, value in local.environment : "${name}=${value}"],
  )

  host {
    host = "host.docker.internal"
    ip   = "host-gateway"
  }

  volumes {
    host_path      = local.socket
    container_path = "/var/run/docker.sock"
  }

  # Docker creates these if they are missing. They are not resources, so nothing here destroys them: neither a
  # stop, nor the deletion of a workspace, nor a mistake in this file. They have no labels, which the provider
  # sets only on Docker 26 and newer; `home-persist gc` uses the name.
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

  # `home-persist gc` asks Docker for this ID: a workspace that has a container is not deleted.
  dynamic "labels" {
    for_each = merge(
      {
        "coder.owner"          = data.coder_workspace_owner.me.name
        "coder.owner_id"       = data.coder_workspace_owner.me.id
        "coder.workspace_id"   = data.coder_workspace.me.id
        "coder.workspace_name" = data.coder_workspace.me.name
      },
      length(local.ports) == 0 ? {} : { "coder.ports" = join(" ", [for port in local.ports : "${port.ip}|${port.external}/${port.protocol}"]) },
    )
    content {
      label = labels.key
      value = labels.value
    }
  }

  lifecycle {
    # The provider reads it back as "linux".
    ignore_changes = [platform]

    precondition {
      condition     = length(local.refusals) + length(local.engine_refusals) == 0
      error_message = join("\n", concat(local.refusals, local.engine_refusals))
    }
  }
}

resource "coder_metadata" "workspace" {
  count       = data.coder_workspace.me.start_count
  resource_id = docker_container.workspace[0].id
  icon        = "/icon/docker.png"
  daily_cost  = var.daily_cost > 0 ? var.daily_cost : null

  item {
    key   = "image"
    value = docker_image.workspace[0].name
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
# them: Terraform forgets them and does not destroy them.
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
