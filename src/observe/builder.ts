// What builds images on this machine. Rule: asked before anything is planned, so that a plan never meets a builder that cannot do it.
import { ToolError } from '../model/error.ts';
import type { Builder } from '../model/image-build.ts';
import type { RunResult, World } from '../model/seams.ts';
import { dockerEnvironment } from '../world/docker.ts';

/** The builder: buildx where docker has it, else plain docker. Throws E_COMMAND where there is no docker, no engine, or no such builder. */
export async function observeBuilder(root: string, named: string | undefined, world: World): Promise<Builder> {
  const docker = (...words: string[]): Promise<RunResult> => {
    return world.run(['docker', ...words], { cwd: root, env: { ...dockerEnvironment(world.env), ...builderChoice(world.env) } });
  };
  const version = await docker('version', '--format', '{{.Server.Os}}/{{.Server.Arch}}');
  const platform = version.stdout.trim();
  const isRemote = platform === '' || platform === '/';
  const buildx = await docker('buildx', 'version');
  if (buildx.code !== 0) {
    if (named !== undefined) throw noBuilder(named, 'docker has no buildx here');
    if (version.code !== 0) throw noEngine(version);
    return { kind: 'docker', platform };
  }
  const inspected = await docker('buildx', 'inspect', ...(named === undefined ? [] : [named]));
  const driver = /^Driver:\s*(\S+)/m.exec(inspected.stdout)?.[1];
  if (inspected.code !== 0 || driver === undefined) throw noBuilder(named ?? 'default', lastLine(inspected.stderr) || 'it names no driver');
  if (driver === 'docker' && version.code !== 0) throw noEngine(version);
  const several =
    driver !== 'docker' || (await docker('info', '--format', '{{json .DriverStatus}}')).stdout.includes('io.containerd.snapshotter');
  return {
    kind: 'buildx',
    ...(named === undefined ? {} : { name: named }),
    driver,
    several,
    platform: isRemote ? 'linux/amd64' : platform,
  };
}

function builderChoice(env: World['env']): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('BUILDX_')));
}

function noBuilder(name: string, why: string): ToolError {
  return new ToolError('E_COMMAND', `the builder ${name} cannot be used: ${why}`, { hint: 'See `docker buildx ls`.' });
}

function noEngine({ stderr }: RunResult): ToolError {
  return new ToolError('E_COMMAND', `docker cannot build: ${lastLine(stderr) || 'the engine does not answer'}`, {
    hint: 'Start the Docker Engine, then try again.',
  });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
}
