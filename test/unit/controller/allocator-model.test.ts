import { test } from 'node:test';
import { checkAllocator } from '../../support/allocator-model.ts';

test('Allocator keeps its rules, whatever happens in whatever order', () =>
  checkAllocator({ runs: Number(process.env.BELLMAN_RUNS ?? 100), steps: 100 }));
