// Loaded into a program by --import: writes its peak memory in KiB to PEAK_MEMORY_FILE when it ends.
import { appendFileSync } from 'node:fs';

process.on('exit', () => appendFileSync(process.env.PEAK_MEMORY_FILE, `${process.resourceUsage().maxRSS}\n`));
