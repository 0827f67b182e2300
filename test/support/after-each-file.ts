import { afterAll } from 'vitest';
import { removeTemporaryFolders } from './temporary-folder.ts';

// Here, and not beside what it ends: files that share a process load a module once, but run this each.
afterAll(removeTemporaryFolders);
