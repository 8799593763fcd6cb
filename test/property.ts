// Property tests draw the same cases each time, so that what fails here fails everywhere; $SLIPWAY_SEED draws others.
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env.SLIPWAY_SEED ?? 20261121) });

export { default as fc } from 'fast-check';
