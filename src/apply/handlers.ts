// The table of all kinds of steps. Rule: a kind without a handler does not compile.
import type { Handlers } from './handler.ts';
import { backupSteps } from './steps/backup.ts';
import { buildSteps } from './steps/build.ts';
import { bundleSteps } from './steps/bundle.ts';
import { checkoutSteps } from './steps/checkout.ts';
import { copySteps } from './steps/copy.ts';
import { dataSteps } from './steps/data.ts';
import { dataMoveSteps } from './steps/data-move.ts';
import { fileSteps } from './steps/files.ts';
import { healthSteps } from './steps/health.ts';
import { imageSteps } from './steps/images.ts';
import { localImageSteps } from './steps/local-images.ts';
import { logInSteps } from './steps/log-in.ts';
import { ownServiceSteps } from './steps/own-service.ts';
import { pageSteps } from './steps/page.ts';
import { releaseSteps } from './steps/release.ts';
import { removalSteps } from './steps/removal.ts';
import { rotateSteps } from './steps/rotate.ts';
import { runtimeSteps } from './steps/runtime.ts';
import { serviceSteps } from './steps/services.ts';
import { sourceImageSteps } from './steps/source-images.ts';
import { tagSteps } from './steps/tag.ts';
import { trainSteps } from './steps/train.ts';
import { tryBackupSteps } from './steps/try-backup.ts';
import { unitSteps } from './steps/units.ts';

export const handlers: Handlers = {
  ...bundleSteps,
  ...releaseSteps,
  ...copySteps,
  ...imageSteps,
  ...buildSteps,
  ...tagSteps,
  ...trainSteps,
  ...fileSteps,
  ...checkoutSteps,
  ...sourceImageSteps,
  ...logInSteps,
  ...localImageSteps,
  ...serviceSteps,
  ...ownServiceSteps,
  ...pageSteps,
  ...rotateSteps,
  ...backupSteps,
  ...dataSteps,
  ...dataMoveSteps,
  ...tryBackupSteps,
  ...healthSteps,
  ...runtimeSteps,
  ...removalSteps,
  ...unitSteps,
};
