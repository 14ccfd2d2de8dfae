/**
 * A conversation as a hook of React: `const { messages, say, stop, isWriting } = useChat(LanguageModel)`.
 *
 * `LanguageModel` is what `promptApi` of onebit/prompt-api gives, made once outside the component: components that use
 * it share its model, and each has a session of its own.
 */
import { useCallback, useEffect, useRef, useState } from "react";

export function useChat(LanguageModel, options) {
  const [messages, setMessages] = useState([]),
    [isWriting, setIsWriting] = useState(false),
    session = useRef(undefined),
    stopper = useRef(undefined);

  // A component that goes away leaves nothing running.
  useEffect(
    () => () => {
      stopper.current?.abort();
      session.current?.then((open) => open.destroy()).catch(() => {});
      session.current = undefined;
    },
    [],
  );

  const say = useCallback(
    async (content) => {
      stopper.current?.abort();
      stopper.current = new AbortController();
      const { signal } = stopper.current;
      setMessages((before) => [...before, { role: "user", content }, { role: "assistant", content: "" }]);
      setIsWriting(true);
      try {
        session.current ??= LanguageModel.create(options);
        const reader = (await session.current).promptStreaming(content, { signal }).getReader();
        for (let next = await reader.read(); !next.done; next = await reader.read()) {
          const { value } = next;
          setMessages((before) => {
            const last = before.at(-1);
            return [...before.slice(0, -1), { ...last, content: last.content + value }];
          });
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        if (stopper.current?.signal === signal) setIsWriting(false);
      }
    },
    [LanguageModel, options],
  );

  return { messages, say, stop: () => stopper.current?.abort(), isWriting };
}
