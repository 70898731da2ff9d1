// Stands between VS Code and the real server, and makes answers of the chat a
// megabyte long.
import { spawn } from 'node:child_process';

const [program, ...args] = process.argv.slice(2);
const server = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
server.on('exit', (code) => process.exit(code ?? 1));
process.stdin.pipe(server.stdin);
let rest = Buffer.alloc(0);
server.stdout.on('data', (chunk) => {
  rest = Buffer.concat([rest, chunk]);
  for (;;) {
    const head = rest.indexOf('\r\n\r\n');
    if (head < 0) return;
    const end = head + 4 + Number(/Content-Length: (\d+)/i.exec(rest.subarray(0, head).toString())[1]);
    if (rest.length < end) return;
    const message = JSON.parse(rest.subarray(head + 4, end).toString());
    rest = rest.subarray(end);
    const text = message.result?.text;
    if (typeof text === 'string') message.result.text = `${text}\n\n`.repeat(Math.ceil((1 << 20) / text.length));
    const body = Buffer.from(JSON.stringify(message));
    process.stdout.write(Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]));
  }
});
