// The steps that several workflows share. Rule: credentials reach one step alone; none is kept in the checkout, and logins end with the job.
import type { OwnImage } from '../model/product.ts';
import { partsOfPattern } from '../model/tag.ts';
import { jobToken, type Login, loginsOf, releaseHosts } from './credentials.ts';
import { CHECKOUT, type CiScene, expression, SCRIPT, SETUP_NODE, SETUP_QEMU, type Step } from './workflow.ts';

/** The builder of buildx that CI uses: docker's own has neither caches nor several platforms. */
const BUILDER = 'slipway-ci';

/** The sources with their whole history and all tags, Node.js, and slipway. */
export function sources(scene: CiScene, ref?: string): Step[] {
  const at = ref === undefined ? {} : { ref };
  return [
    { name: 'Check out', uses: CHECKOUT, with: { ...at, 'fetch-depth': 0, 'persist-credentials': false } },
    setUpNode(scene),
    { name: 'Set up slipway', run: scene.product.ci.setup },
  ];
}

/** The version of Node.js that the product names. */
export function setUpNode({ product }: CiScene): Step {
  return { name: 'Set up Node.js', uses: SETUP_NODE, with: { 'node-version': product.ci.node } };
}

/** `docker login` for each of these registries. */
export function logIn(registries: readonly (string | undefined)[], scene: CiScene): Step[] {
  return loginsOf(registries, scene).map(({ registry, username, password }: Login) => ({
    name: `Log in to ${registry}`,
    env: { REGISTRY: registry, REGISTRY_USERNAME: username, REGISTRY_PASSWORD: password },
    run: [`printf '%s' "$REGISTRY_PASSWORD" | docker login "$REGISTRY" --username "$REGISTRY_USERNAME" --password-stdin`],
  }));
}

/** The end of these logins, whatever happened: a runner may be there for long. */
export function logOut(registries: readonly (string | undefined)[], scene: CiScene): Step[] {
  return loginsOf(registries, scene).map(({ registry }) => ({
    name: `Log out of ${registry}`,
    if: 'always()',
    env: { REGISTRY: registry },
    run: ['docker logout "$REGISTRY"'],
  }));
}

/** Git may write to this forge for the rest of the job, where a git remote on it decides who has a version. */
export function letGitWrite({ product, forge }: CiScene): Step[] {
  const needed = releaseHosts(product).some((host) => host.type === 'git' && /^https?:/.test(host.url));
  if (!needed) return [];
  return [
    {
      name: 'Let git write tags',
      env: { GIT_TOKEN: jobToken(forge) },
      run: [
        `header="AUTHORIZATION: basic $(printf 'x-access-token:%s' "$GIT_TOKEN" | base64 -w 0)"`,
        `echo "::add-mask::\${header##* }"`,
        '{',
        '  echo "GIT_CONFIG_COUNT=1"',
        '  echo "GIT_CONFIG_KEY_0=http.$GITHUB_SERVER_URL/.extraheader"',
        '  echo "GIT_CONFIG_VALUE_0=$header"',
        '} >> "$GITHUB_ENV"',
      ],
    },
  ];
}

/** What building these images needs of the machine. */
export function builderSteps(images: readonly OwnImage[], { forge }: CiScene): Step[] {
  const isForeign = images.some(({ platforms }) => platforms.some((platform) => platform !== 'linux/amd64'));
  const hasCache = images.some(({ build }) => build !== undefined && build.cache !== 'none');
  const actionsCache = forge === 'github' && images.some(({ build }) => build?.cache === 'gha');
  return [
    ...(isForeign ? [{ name: 'Set up QEMU', uses: SETUP_QEMU }] : []),
    ...(isForeign || hasCache ? [setUpBuilder()] : []),
    ...(actionsCache ? [showCache()] : []),
  ];
}

function setUpBuilder(): Step {
  return {
    name: 'Set up buildx',
    run: [
      `docker buildx inspect ${BUILDER} >/dev/null 2>&1 || docker buildx create --name ${BUILDER} --driver docker-container`,
      `docker buildx use ${BUILDER}`,
    ],
  };
}

/** Only actions are told where the forge's cache is. */
function showCache(): Step {
  const names = ['ACTIONS_RUNTIME_TOKEN', 'ACTIONS_RESULTS_URL', 'ACTIONS_CACHE_URL', 'ACTIONS_CACHE_SERVICE_V2'];
  const script = [
    `for (const name of ${JSON.stringify(names).replaceAll('"', "'").replaceAll(',', ', ')}) {`,
    '  if (process.env[name]) core.exportVariable(name, process.env[name]);',
    '}',
  ];
  return { name: 'Let builds use the cache of GitHub Actions', uses: SCRIPT, with: { script: `${script.join('\n')}\n` } };
}

/** Runs a command with `--json`, and makes these fields of its result outputs of the step. */
export function takeFields(command: string, fields: readonly string[]): string[] {
  const list = fields.map((field) => `"${field}"`).join(', ');
  return [
    `${command} --json | tee "$RUNNER_TEMP/result.json"`,
    'tail -n 1 "$RUNNER_TEMP/result.json" | node -e \'',
    '  const result = JSON.parse(require("fs").readFileSync(0, "utf8"));',
    `  for (const name of [${list}]) console.log(name + "=" + (result[name] ?? ""));`,
    '\' >> "$GITHUB_OUTPUT"',
  ];
}

/** The tags of a pattern, as a filter: versions begin with a digit. */
export function tagFilter(pattern: string): string {
  const { before, after } = partsOfPattern(pattern);
  return `${before}[0-9]*${after}`;
}

/** What a person typed when the run was started by hand. */
export function input(name: string): string {
  return expression(`github.event.inputs.${name}`);
}

/** One word of a shell line, whatever is in it. */
export function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
