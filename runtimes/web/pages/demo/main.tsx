import { render } from "preact";
import "../shared/look.css";
import "./demo.css";
import { App } from "./app.js";

const page = document.getElementById("page");
if (page) {
  page.textContent = "";
  render(<App />, page);
}
