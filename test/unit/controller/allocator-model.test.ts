import { test } from 'node:test';
import { checkAllocator } from '../../support/allocator-model.ts';

test('Allocator agrees with the model of its rules through any sequence of steps', () =>
  checkAllocator({ runs: Number(process.env.BELLMAN_RUNS ?? 100), steps: 100 }));
