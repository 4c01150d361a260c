# Images for amd64 and arm64 at once, with buildx: `docker buildx bake --file deploy/docker-bake.hcl` at the top of the
# repository. Each platform is built on itself, or under QEMU. The tests build for their own platform alone, without this.

variable "IMAGE" {
  default = "lockstep-server"
}

variable "TAG" {
  default = "latest"
}

variable "REVISION" {
  default = ""
}

variable "CREATED" {
  default = ""
}

variable "SOURCE" {
  default = ""
}

group "default" {
  targets = ["server"]
}

target "server" {
  context    = "."
  dockerfile = "deploy/Dockerfile"
  platforms  = ["linux/amd64", "linux/arm64"]
  tags       = ["${IMAGE}:${TAG}"]
  args = {
    REVISION = REVISION
    CREATED  = CREATED
    SOURCE   = SOURCE
  }
  # Where it came from and what is in it travel with the image.
  attest = ["type=provenance,mode=max", "type=sbom"]
}
