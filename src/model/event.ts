// What happens while a command runs. Rule: code emits events, only show/ turns them into text.
import type { ImageRef } from './image.ts';
import type { BuiltImage } from './image-build.ts';
import type { CopiedImage } from './image-copy.ts';
import type { LockRecord } from './lock.ts';

export type Event =
  /** A command holds the lock of this folder from now on, in this process. */
  | ({ readonly type: 'begun'; readonly folder: string } & Omit<LockRecord, 'nonce'>)
  | { readonly type: 'phase'; readonly text: string }
  | {
      readonly type: 'step';
      readonly index: number;
      readonly of: number;
      readonly kind: string;
      readonly why: string;
      readonly direction: 'forward' | 'back';
    }
  | { readonly type: 'step-done'; readonly index: number; readonly direction: 'forward' | 'back' }
  | {
      readonly type: 'progress';
      readonly text: string;
      readonly done: number;
      readonly total?: number;
      readonly unit: 'bytes' | 'items' | 'seconds';
    }
  /** What became of one image at one destination. */
  | ({ readonly type: 'image' } & CopiedImage)
  /** What became of one image that was to be built. */
  | ({ readonly type: 'build' } & BuiltImage)
  /** What became of one manifest that was to be deleted. */
  | {
      readonly type: 'deleted';
      readonly image: ImageRef;
      readonly digest: string;
      readonly tags: readonly string[];
      readonly error: string | null;
    }
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'warning'; readonly text: string; readonly hint?: string }
  | { readonly type: 'output'; readonly source: string; readonly line: string }
  /** What another process reported; this one only looks on. */
  | { readonly type: 'seen'; readonly event: Event };

export type Report = (event: Event) => void;
