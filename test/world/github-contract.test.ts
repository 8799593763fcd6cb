// The contract suite on GitHub, with a listing that lags behind and short pages.
import { FIRST, githubStage, SECOND } from '../fakes/github-stage.ts';
import { hostContract } from './host-contract.ts';

for (const lag of [0, 2]) {
  hostContract(`GitHub, whose fresh releases are missing from ${lag} answers,`, async () => {
    const { host, github } = await githubStage({ lag });
    return { host: () => host(), commit: FIRST, other: SECOND, canDecide: true, canPublish: true, close: github.close };
  });
}
