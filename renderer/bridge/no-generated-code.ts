import { z } from 'zod';

// The page forbids code made from strings, which zod would try for speed. Must run before the first schema is made.
z.config({ jitless: true });
