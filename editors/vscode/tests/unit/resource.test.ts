import { expect, test, vi } from 'vitest';
import { resourcePropose } from '../../src/commands/resource';
import type { Ctx } from '../../src/ctx';
import type { Possibility } from '../../src/protocol.gen';
import { phaseIcon } from '../../src/views/resources';
import { commands, type ThemeIcon, window } from './vscode';

vi.mock('../../src/client', () => ({ words: String }));

const resource = {
  identifier: 'db',
  arn: 'arn:db',
  name: 'main',
  account_id: '1',
  region: 'r',
  resource_type: 'x_thing',
};
const action = (verb: string, can: string, why = '', instead = ''): Possibility => {
  return { verb, title: verb.toUpperCase(), icon: `icon-${verb}`, operation: `${verb}-thing`, can, why, instead };
};

/** Opens the list of commands for a resource that the server says this of. */
function propose(actions: Possibility[], of: object = resource): Promise<void> {
  const client = {
    request: async () => ({
      resources: [
        { ...resource, region: 'elsewhere' },
        { ...of, actions },
      ],
    }),
  };
  return resourcePropose({ client } as unknown as Ctx, { kind: 'resource', resource });
}

test('commands are those that the server names, what is impossible last and with its reason', async () => {
  const pick = window.showQuickPick.mockImplementation(async (items) => items[0]);
  await propose([
    action('freeze', 'no', 'it is frozen', 'thaw $(x) it'),
    action('thaw', 'yes'),
    action('look', 'unknown', 'who knows'),
  ]);
  const items = pick.mock.calls[0]?.[0] as { label: string; detail?: string; iconPath?: ThemeIcon }[];
  expect(items.map((i) => [i.label, i.iconPath?.id, i.detail])).toEqual([
    ['THAW', 'icon-thaw', ''],
    ['LOOK', 'icon-look', 'who knows'],
    ['not now', undefined, undefined],
    ['FREEZE', 'icon-freeze', 'it is frozen; thaw \\$(x) it'],
  ]);
  expect(commands.executeCommand).toHaveBeenLastCalledWith('cloudops.execution.propose', {
    identifier: 'arn:db',
    verb: 'thaw',
  });
});

test('a resource that nothing is known to be done with says so', async () => {
  await expect(propose([])).rejects.toThrow('no command for main');
  await expect(propose([action('thaw', 'yes')], { ...resource, account_id: '2' })).rejects.toThrow('no command');
});

test('each phase has an icon, and what is not known has one too', () => {
  const ids = ['up', 'down', 'moving', 'broken', ''].map((phase) => phaseIcon(phase).id);
  expect(new Set(ids).size).toBe(5);
  expect(phaseIcon('news').id).toBe(phaseIcon('').id);
});
