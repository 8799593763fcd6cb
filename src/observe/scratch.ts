// Private folders for what a command looks at before it has a place in an install. Rule: commands come to the disk by way of what they observe.
export { inScratch, makeScratch } from '../world/scratch.ts';
