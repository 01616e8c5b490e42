import "../shared/look.css";
import "./bench.css";
import { render } from "preact";
import { Page } from "./page.js";

render(<Page />, document.getElementById("page") as HTMLElement);
