import "@fontsource-variable/inter/wght.css";
import "./app/mantine";
import "./app/tokens.css";
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { askFirst, queryClient } from "./api/queries";
import "./app/arrival";
import { App } from "./app/App";
import { nonce } from "./app/nonce";
import { cssVariables, theme } from "./app/theme";

askFirst();
createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto" getStyleNonce={() => nonce}>
      <QueryClientProvider client={queryClient}>
        <App />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
