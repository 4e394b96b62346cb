// What an application writes that uses the library; see library.sh.
import { ChatStreamClient, type Environment, MemoryStore, type Turn } from "@millrace/client";
import { MillraceChatTransport } from "@millrace/client/ai-sdk";
import { MarkdownStream } from "@millrace/client/markdown";
import { BrowserEnvironment } from "@millrace/client/browser";
import {
  type ChatStream,
  IndexedSessionStore,
  useChatStream,
  useConversations,
} from "@millrace/client/vue";

const environment: Environment = new BrowserEnvironment();
const url = "wss://gateway.example/v1/chat";
const client = new ChatStreamClient({ url, environment, store: new MemoryStore(), key: "support" });
const turn: Turn = client.send("hello", { model: "m", reasoning: { effort: "low" } });
const state: "idle" | "submitted" | "streaming" | "error" = readStatus(
  useChatStream({ url, store: new IndexedSessionStore(), immediate: false }),
);
const transport = new MillraceChatTransport({ url, environment, options: { model: "m" } });
const stream = new MarkdownStream();
stream.append("*hello*");
stream.finish();

function readStatus(chat: ChatStream) {
  return chat.status.value;
}

// @ts-expect-error A session store is no string.
const wrong = () => useChatStream({ url, store: "indexed" });

const works = turn.delivery === "queued" && state === "idle" && typeof wrong === "function" &&
  useConversations().list.value.length === 0 && stream.root.children.length === 1 &&
  transport.client instanceof Function;
if (!works) throw new Error("the library does not work as documented");
