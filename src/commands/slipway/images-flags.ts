// The flags of the images' verbs. Rule: data alone, so that one verb starts without loading the others.
import type { FlagTable } from '../command.ts';

export const MIRROR_FLAGS = {
  only: { type: 'string', value: 'GROUP', multiple: true, help: 'mirror: these groups alone, or single images by name' },
  from: { type: 'string', value: 'oci:DIR', help: 'mirror: read the images from this folder instead of upstream' },
  to: { type: 'string', value: 'PLACE', help: 'mirror: put them here instead: oci:DIR, a folder, or a registry such as quay.io/acme' },
  deep: { type: 'boolean', help: 'mirror: ask for every layer of what is there, too, and send again what was lost' },
  'without-signatures': { type: 'boolean', help: 'mirror: leave signatures, attestations and what else belongs to the images behind' },
} as const satisfies FlagTable;

export const BUILD_FLAGS = {
  include: { type: 'string', value: 'NAME', multiple: true, help: 'build: this image too, which is built only when named' },
  'changed-since': { type: 'string', value: 'REV', help: 'build: only what changed since that commit, and what needs it' },
  event: { type: 'string', value: 'E', help: 'build: main, release, branch or pull-request (default: what CI or git say)' },
  push: { type: 'boolean', help: 'build: push with the tags of images.tags' },
  version: { type: 'string', value: 'V', help: 'build: the version of a release (default: the tag on HEAD)' },
  run: { type: 'string', value: 'N', help: 'build: the number of the run (default: $GITHUB_RUN_NUMBER)' },
  builder: { type: 'string', value: 'B', help: 'build: the builder of buildx (default: its own choice)' },
} as const satisfies FlagTable;

export const VERIFY_FLAGS = {
  tag: { type: 'string', value: 'T', multiple: true, help: 'verify-tags: the tag that every own image must have' },
} as const satisfies FlagTable;

export const PRUNE_FLAGS = {
  keep: { type: 'string', value: 'N', help: 'prune: so many newest builds stay in each repository' },
  'older-than': { type: 'string', value: 'D', help: 'prune: younger ones stay, such as 30d' },
  repository: {
    type: 'string',
    value: 'R',
    multiple: true,
    help: 'prune: these alone: an own image, or a branch’s repository with its registry',
  },
  local: { type: 'boolean', help: 'prune: images of this product on this machine that no container and no install has' },
} as const satisfies FlagTable;
