// Which images the synthetic set holds: 36 third-party images in four groups, as a real product mirrors them. Rule: plain data; weights, no bytes.

export interface SetImage {
  readonly group: 'core' | 'platform' | 'communication' | 'monitoring';
  /** Upstream, `host/repository:tag`. */
  readonly source: string;
  /** The name in the product's registry, where the last path segment would not do. */
  readonly as?: string;
  readonly base: keyof typeof BASES;
  readonly platforms: readonly string[];
  readonly kind: 'oci' | 'docker' | 'attested' | 'nested' | 'single';
}

/** Layers that images share, with their weights; an image has all layers of its base. */
export const BASES = {
  scratch: [['certificates', 0.3]],
  alpine: [['alpine', 3.5]],
  debian: [['debian', 28]],
  node: [
    ['debian', 28],
    ['node', 18],
  ],
  java: [
    ['ubuntu', 29],
    ['java', 24],
  ],
  ubuntu: [['ubuntu', 29]],
} as const;

const [AMD64, ARM64, ARM] = ['linux/amd64', 'linux/arm64', 'linux/arm/v7'];
const TWO = [AMD64, ARM64];
const THREE = [AMD64, ARM64, ARM];
const ONE = [AMD64];

/** 5 core, 16 platform, 8 communication, 7 monitoring. */
export const IMAGE_SET: readonly SetImage[] = [
  core('docker.io/library/postgres:16-alpine', 'alpine', 'attested', THREE),
  core('docker.io/library/redis:7-alpine', 'alpine', 'attested', THREE),
  core('docker.io/library/nginx:1.28-alpine', 'alpine', 'attested', THREE),
  core('docker.io/nocodb/nocodb:0.301.3', 'node', 'oci', TWO),
  core('docker.io/listmonk/listmonk:v5.1.0', 'alpine', 'docker', THREE),
  platform('docker.io/library/alpine:3', 'alpine', 'attested', THREE),
  platform('docker.io/library/traefik:v3.5.3', 'alpine', 'attested', TWO),
  platform('docker.io/gitea/gitea:1.24.6', 'alpine', 'oci', TWO),
  platform('docker.io/n8nio/n8n:1.113.3', 'node', 'attested', TWO),
  platform('docker.io/vaultwarden/server:1.34.3', 'debian', 'oci', THREE, 'vaultwarden'),
  platform('lscr.io/linuxserver/nginx:1.28.2', 'ubuntu', 'docker', TWO, 'ls-nginx'),
  platform('docker.io/codercom/code-server:4.104.2', 'debian', 'docker', TWO),
  platform('docker.io/squidfunk/mkdocs-material:9.6', 'debian', 'oci', TWO),
  platform('docker.io/excalidraw/excalidraw:latest', 'alpine', 'docker', TWO),
  platform('docker.io/axllent/mailpit:v1.27.8', 'scratch', 'attested', TWO),
  platform('docker.io/fosrl/newt:1.5.0', 'scratch', 'oci', TWO),
  platform('ghcr.io/gethomepage/homepage:v1.4.6', 'node', 'attested', TWO),
  platform('ghcr.io/umami-software/umami:postgresql-v2.19.0', 'node', 'oci', TWO),
  platform('quay.io/minio/minio:RELEASE.2025-04-08T15-41-24Z', 'ubuntu', 'nested', THREE),
  platform('quay.io/keycloak/keycloak:26.3.4', 'java', 'oci', TWO),
  platform('quay.io/k3s/k3s:v1.32.3-k3s1', 'scratch', 'single', ONE),
  communication('docker.io/rocketchat/rocket.chat:7.10.0', 'node', 'single', ONE),
  communication('docker.io/library/mongo:8.0', 'ubuntu', 'attested', TWO),
  communication('docker.io/library/nats:2.11-alpine', 'alpine', 'attested', THREE),
  communication('docker.io/cisti/gancio:1.26.1', 'node', 'single', ONE),
  communication('docker.io/jitsi/web:stable-9823', 'debian', 'docker', TWO, 'jitsi-web'),
  communication('docker.io/jitsi/prosody:stable-9823', 'debian', 'docker', TWO, 'jitsi-prosody'),
  communication('docker.io/jitsi/jicofo:stable-9823', 'java', 'docker', TWO, 'jitsi-jicofo'),
  communication('docker.io/jitsi/jvb:stable-9823', 'java', 'docker', TWO, 'jitsi-jvb'),
  monitoring('docker.io/prom/prometheus:v3.5.0', 'debian', 'docker', THREE),
  monitoring('docker.io/grafana/grafana:12.1.1', 'alpine', 'oci', THREE),
  monitoring('docker.io/prom/alertmanager:v0.28.1', 'debian', 'docker', THREE),
  monitoring('gcr.io/cadvisor/cadvisor:v0.52.1', 'alpine', 'docker', TWO),
  monitoring('quay.io/prometheus/node-exporter:v1.9.1', 'scratch', 'docker', THREE),
  monitoring('docker.io/oliver006/redis_exporter:v1.74.0', 'scratch', 'single', ONE),
  monitoring('docker.io/gotify/server:2.7.0', 'debian', 'oci', THREE, 'gotify'),
];

type Row = [source: string, base: SetImage['base'], kind: SetImage['kind'], platforms: readonly string[], as?: string];

function core(...row: Row): SetImage {
  return member('core', row);
}

function platform(...row: Row): SetImage {
  return member('platform', row);
}

function communication(...row: Row): SetImage {
  return member('communication', row);
}

function monitoring(...row: Row): SetImage {
  return member('monitoring', row);
}

function member(group: SetImage['group'], [source, base, kind, platforms, as]: Row): SetImage {
  return { group, source, base, kind, platforms, ...(as === undefined ? {} : { as }) };
}
