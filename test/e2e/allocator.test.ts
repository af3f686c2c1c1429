import { test } from 'node:test';
import { skippedOnKubernetes } from '../../lab/start-api-server.ts';
import { checkAllocator } from '../support/allocator-model.ts';

test(
  'Allocator keeps its rules through hundreds of random histories of hundreds of steps',
  {
    skip: skippedOnKubernetes('it uses no API server'),
  },
  () => checkAllocator({ runs: Number(process.env.BELLMAN_RUNS ?? 500), steps: 200 }),
);
