// Crawl a site with Crawlee for JavaScript: Cheerio, its file storage, 32 at once.
//
// Usage: node site.mjs SEED RESULT_DIR
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [seed, result] = process.argv.slice(2);
process.env.CRAWLEE_STORAGE_DIR = join(result, 'storage');
process.env.CRAWLEE_LOG_LEVEL = 'ERROR';
const { CheerioCrawler } = await import('@crawlee/cheerio');

const prefix = seed.slice(0, seed.lastIndexOf('/') + 1);
const found = [];
const crawler = new CheerioCrawler({
    minConcurrency: 32,
    maxConcurrency: 32,
    autoscaledPoolOptions: { desiredConcurrency: 32 },
    async requestHandler({ request, response, $, body, pushData, addRequests }) {
        if (response.statusCode >= 300) return; // it hands over 404, too
        const links = new Set();
        $('a[href]').each((_, a) => {
            const url = parsed($(a).attr('href'), request.loadedUrl);
            if (url) links.add(url.href.split('#')[0]);
        });
        await pushData({
            url: request.url,
            title: $('title').first().text(),
            body: body.toString(),
            links: [...links],
        });
        await addRequests([...links].filter((link) => link.startsWith(prefix)));
        found.push(request.loadedUrl);
    },
});

function parsed(href, base) {
    try {
        return new URL(href, base);
    } catch {
        return null;
    }
}

await crawler.run([seed]);
writeFileSync(join(result, 'found.json'), JSON.stringify(found));
