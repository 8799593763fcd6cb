// Products whose workflows are looked at: one with everything that changes a workflow, and one that promotes. Rule: written as a maintainer would.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateWorkflows, type WorkflowFile } from '../../src/ci/generate.ts';
import type { Forge } from '../../src/model/ci-rules.ts';
import { readProduct } from '../../src/model/product.ts';

const KEY = 'RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3';

/** The product of `bundle/`. */
export const REFERENCE = readFileSync(join(import.meta.dirname, '../../bundle/slipway.yaml'), 'utf8');

/** Several components with tags of their own, caches, foreign platforms, needs, mirrors elsewhere, scheduled jobs. */
export const COMPONENTS = `schema: 1
product: ctms
release:
  tag: bundle-v{version}
  publicKey: ${KEY}
  hosts:
    github: { type: github, repository: acme/ctms, token: GITHUB_TOKEN }
    forge: { type: gitea, url: "https://git.acme.example", repository: acme/ctms, token: GITEA_TOKEN }
    oci: { type: oci, repository: ghcr.io/acme/bundle }
bundle: {}
images:
  registry: docker.io/zynomi
  own:
    base: { context: base, platforms: [linux/amd64, linux/arm64], cache: registry }
    web: { context: web, needs: [base], cache: gha, paths: [web, "shared/?.ts"] }
    worker: { context: worker, needs: [base] }
    gateway: { repository: ctms-api-gateway, context: gateway, paths: ["ctms-api-gateway/**"], release: "api-gateway-v{version}" }
    editor: { context: editor, optIn: true }
    elsewhere: { repository: elsewhere }
  thirdParty:
    core:
      - docker.io/library/postgres:16
      - { source: docker.io/zynomi/base:1, as: base-copy, to: [quay.io/acme] }
ci:
  validate: [npm ci, npm run lint]
  branches: [develop]
  secrets: { DOCKER_TOKEN: Docker Hub access token }
  logins: { docker.io: { username: DOCKER_USERNAME, password: DOCKER_TOKEN } }
  outdated: { report: comment }
  jobs:
    lakehouse: { schedule: "0 2 * * *", secrets: [WAREHOUSE_URL], stages: { ingester: [./ingest.sh], dbt-build: [./dbt.sh build] } }
`;

/** A branch of prereleases, and a main branch that promotes; no bundle. */
export const TRAIN = `schema: 1
product: metaboost
release:
  tag: "{version}"
  base: package.json#version
  notes: CHANGELOGS/{base}.md
  channels:
    stable: { branch: main, float: [latest], promoteFrom: staging }
    staging: { branch: staging, prerelease: staging, float: [staging] }
  hosts: { github: { type: github, repository: acme/metaboost, token: GITHUB_TOKEN }, forge: { type: gitea, url: "https://git.acme.example", repository: acme/metaboost, token: GITEA_TOKEN } }
images:
  registry: ghcr.io/acme/metaboost
  own:
    api: { context: api }
    web: { context: web, needs: [] }
`;

export const PRODUCTS: Readonly<Record<string, string>> = { reference: REFERENCE, components: COMPONENTS, train: TRAIN };

/** All files of a product for a forge, made from a product file of this digest. */
export function workflowsOf(text: string, forge: Forge, folder = ''): WorkflowFile[] {
  const product = readProduct(text, 'slipway.yaml');
  return generateWorkflows({ product, forge, folder, source: { file: `${folder}slipway.yaml`, digest: 'sha256:0123456789abcdef' } });
}

/** The text of one of them, by the end of its name. */
export function workflowOf(text: string, forge: Forge, name: string): string {
  const found = workflowsOf(text, forge).find(({ path }) => path.endsWith(`-${name}.yml`));
  if (found === undefined) throw new Error(`there is no workflow ${name}`);
  return found.text;
}
