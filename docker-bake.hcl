# SPDX-License-Identifier: Apache-2.0
#
# docker buildx bake                                  all images, for this machine
# docker buildx bake api                              one
# REGISTRY=europe-docker.pkg.dev/me/mesh TAG=1.2 docker buildx bake --push
#
# SOURCE_DATE_EPOCH in the environment moves the time that all files bear; docs/images.md says what
# else it takes for images that are the same to the bit.

variable "REGISTRY" { default = "tweetmesh" }
variable "VERSION" { default = "0.1.0" }
variable "TAG" { default = VERSION }
variable "REVISION" { default = "unknown" }
variable "SOURCE_DATE_EPOCH" { default = "1767225600" }
variable "BASE" { default = "docker.io/library/debian:13" }

group "default" {
  targets = ["image"]
}

target "image" {
  matrix = {
    program = ["api", "grpc-server", "ws-redis", "kafka-consumer", "audit", "recount"]
  }
  name   = program
  target = program
  tags   = ["${REGISTRY}/${program}:${TAG}"]
  args = {
    BASE              = BASE
    VERSION           = VERSION
    REVISION          = REVISION
    SOURCE_DATE_EPOCH = SOURCE_DATE_EPOCH
    CREATED           = formatdate("YYYY-MM-DD'T'hh:mm:ss'Z'", timeadd("1970-01-01T00:00:00Z", "${SOURCE_DATE_EPOCH}s"))
  }
}
